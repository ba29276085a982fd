import { existsSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { runCli } from './run-cli.js';

const folder = temporaryFolder();

describe('prepare --check', () => {
  it('lists what is there and what is wrong with it, writes nothing, and ends with 3', async () => {
    for (const [i, name] of ['a', 'b', 'c'].entries()) await writeCase(folder, name, [12 + i, 10, 8]);
    truncateSync(join(folder, 'b.nii.gz'), 200);
    const datasets = writeJson(
      join(folder, 'datasets.json'),
      datasetIndex(['a', 'b', 'c'].map((name) => labelledCase(name))),
    );
    const out = join(folder, 'prepared');
    const { code, stdout, stderr } = await runCli([
      'prepare',
      '--datasets',
      datasets,
      '--out',
      out,
      '--check',
      '--workers',
      '2',
    ]);
    const lines = stdout.trim().split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'ct (CT): 3 cases, 3 with a label, 1 channel',
      '  spacing 1 x 1 x 1 mm, size 12-14 x 10 x 8 voxels',
      '  classes 1 liver, 2 tumour',
    ]);
    expect(lines.slice(3, 6)).toEqual([
      `  files: 7 below ${folder}: 5 used (2 images, 2 labels, 1 descriptions), 2 not used`,
      '    2 of cases that are unusable: b.nii.gz, b_label.nii.gz',
      lines[5],
    ]);
    expect(lines[5]).toMatch(/^UNUSABLE ct\/b \[unreadable\]: .*b.nii.gz is damaged or truncated: /);
    expect(lines[6]).toBe('1 cases are unusable and would be skipped; nothing was changed');
    expect(stderr).toContain('check 3/3');
    expect([code, existsSync(out)]).toEqual([3, false]);
  });

  it('gives scripts the same as JSON, and 0 when every case can be prepared', async () => {
    const datasets = writeJson(
      join(folder, 'good.json'),
      datasetIndex(['a', 'c'].map((name) => labelledCase(name))),
    );
    const { code, stdout } = await runCli(['prepare', '--datasets', datasets, '--check', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      ok: true,
      findings: [],
      datasets: [{ name: 'ct', cases: 2, unusable: 0 }],
    });
    expect(code).toBe(0);
  });
});
