import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkCase } from '../../../src/dataset/check/check-case.js';
import { preprocessingOf } from '../../../src/dataset/index.js';
import { prepareCase } from '../../../src/dataset/prepare/prepare-case.js';
import type { Triple } from '../../../src/volume/index.js';
import { temporaryFolder, writeCase } from '../generated-data.js';

const folder = temporaryFolder();
const spacings: Readonly<Record<string, Triple>> = {
  usual: [1, 1.5, 2],
  metres: [800, 900, 2000],
  absurd: [1e8, 1, 1],
};
beforeAll(async () => {
  mkdirSync(join(folder, 'ct'));
  for (const [name, spacing] of Object.entries(spacings))
    await writeCase(folder, name, [8, 7, 6], { spacing });
});

describe('a scan whose spacing makes too many voxels of it', () => {
  it.each([
    ['usual', [1, 1, 1], undefined],
    [
      'metres',
      [1, 1, 1],
      /8x7x6 voxels of 800 x 900 x 2000 mm would become 5601x5401x10001 voxels of 1 x 1 x 1 mm/,
    ],
    ['absurd', [1, 1, 1], /would become/],
    ['usual', [1e-4, 1e-4, 1e-4], /would become/],
    ['metres', null, undefined],
  ] as const)('is refused by --check as by prepare: %s at %j', async (name, spacing, sentence) => {
    const preprocessing = preprocessingOf('ct', {
      spacing: spacing && [...spacing],
      foregroundThreshold: null,
    });
    const images = [join(folder, `${name}.nii.gz`)];
    const source = { id: 'ct/a', dataset: 'ct', name: 'a', split: 'training', images } as const;
    const { findings } = await checkCase({ source, preprocessing, classes: {} });
    const unusable = findings.filter(({ severity }) => severity === 'unusable');
    const prepared = await prepareCase({ out: folder, source, preprocessing, classes: {} }).catch(
      (error: Error) => error,
    );
    expect(unusable.map(({ kind, message }) => [kind, message])).toEqual(
      prepared instanceof Error ? [['too-large', prepared.message]] : [],
    );
    if (sentence) expect(String(prepared)).toMatch(sentence);
    else expect(prepared).not.toBeInstanceOf(Error);
  });
});
