import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeNifti } from '../../src/volume/index.js';
import { asLabel, temporaryFolder, volumeOf } from '../dataset/generated-data.js';
import { lastLine, runCli } from './run-cli.js';

const folder = temporaryFolder();
const evaluate = (...more: string[]) =>
  runCli([
    ...['evaluate', '--predictions', join(folder, 'p'), '--labels', join(folder, 'l')],
    ...['--classes', '1=liver', '--out', join(folder, 'e.json'), ...more],
  ]);

beforeAll(async () => {
  // The label says nothing of the last two voxels, of which the prediction takes one.
  for (const [side, values] of [
    ['p', [1, 1, 0, 0, 1, 0]],
    ['l', [1, 0, 0, 0, 9, 9]],
  ] as const) {
    const file = join(folder, side, 'a.nii.gz');
    mkdirSync(dirname(file), { recursive: true });
    await writeNifti(file, asLabel(volumeOf([6, 1, 1], (x) => values[x]!)));
  }
});

describe('evaluate --ignore', () => {
  it('leaves the voxels of that value out on both sides, and says so in the file', async () => {
    const { code } = await evaluate('--ignore', '9');
    expect(code).toBe(0);
    const { cases, settings } = JSON.parse(readFileSync(join(folder, 'e.json'), 'utf8'));
    expect(cases[0].classes.liver).toMatchObject({
      dice: 2 / 3,
      voxels: { predicted: 2, present: 1, both: 1, all: 4 },
    });
    expect(settings).toMatchObject({ ignore: 9 });
  });

  it('is needed for such a label, and must be a whole number that is no class', async () => {
    const without = await evaluate();
    expect([without.code, lastLine(without.stderr)]).toEqual([
      3,
      expect.stringContaining('holds the value 9'),
    ]);
    for (const value of ['0', '-1', '1.5', 'nine', '1']) {
      const { code, stderr } = await evaluate('--ignore', value);
      expect([value, code]).toEqual([value, 2]);
      expect(lastLine(stderr)).toMatch(/ignore/);
    }
  });
});
