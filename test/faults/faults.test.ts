import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { longTests } from '../long-tests.js';

/*
 * A short part of what `node scripts/faults.mjs` does for hours (docs/reliability.md). It compares with the truth by
 * itself, so that a fault is all that there is to look for here.
 */
const fault = z.looseObject({ why: z.string() });
const report = z.object({ rows: z.array(z.looseObject({ faults: z.array(fault) })) });

async function faultsOf(...args: readonly string[]) {
  const child = spawn(process.execPath, ['scripts/faults.mjs', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect(stdout, stderr).not.toBe('');
  const { rows } = report.parse(JSON.parse(stdout));
  expect(rows.flatMap(({ faults }) => faults)).toEqual([]);
  expect(code).toBe(0);
  return { rows, stderr };
}

describe('what is spoilt on purpose', () => {
  it.each([
    ['nifti,gzip,metaimage,nrrd,safetensors,yaml,index,cache,run,evaluation,weights,preset,list,archive', 40],
    ['dicom', 4],
  ])('is refused in a sentence or has the true values: %s', async (formats, count) => {
    const { rows } = await faultsOf('--kind', 'fuzz', '--format', formats, '--count', String(count));
    expect(rows).toHaveLength(formats.split(',').length);
    const counts = z.object({ refused: z.int(), accepted: z.int(), changed: z.int() }).array().parse(rows);
    for (const { refused, accepted, changed } of counts) expect(refused + accepted + changed).toBe(count);
    expect(counts.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0.3 * count * rows.length);
    if (count > 10) expect(counts.reduce((sum, { accepted }) => sum + accepted, 0)).toBeGreaterThan(0);
  });

  it.skipIf(!longTests)(
    'leaves nothing in part on a disk that is full, read-only, or with few files at a time',
    async () => {
      const { rows, stderr } = await faultsOf(
        '--kind',
        'disks',
        '--command',
        'prepare,evaluate',
        '--count',
        '2',
      );
      if (stderr.includes('skipped')) return console.warn(stderr); // no right to mount
      expect(rows).toMatchObject([
        { command: 'prepare', fullnesses: 4 },
        { command: 'evaluate', fullnesses: 4 },
      ]);
      for (const row of rows) expect(row.refused).toBeGreaterThan(1);
    },
  );

  it.skipIf(!longTests)(
    'goes on bit for bit after a process is ended at any moment, or meets another one',
    async () => {
      const { rows } = await faultsOf('--kind', 'kills', '--command', 'prepare,evaluate', '--count', '4');
      expect(rows).toMatchObject([{ rounds: 2 }, { rounds: 2 }]);
    },
  );
});
