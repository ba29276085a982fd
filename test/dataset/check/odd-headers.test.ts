import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkText } from '../../../src/cli/check-report.js';
import { checkDatasets, prepareDatasets } from '../../../src/dataset/index.js';
import { datasetIndex, temporaryFolder, writeCase, writeJson } from '../generated-data.js';

const folder = temporaryFolder();

/** A case of 1 mm whose header says another unit of length. */
async function caseInUnit(name: string, code: number): Promise<object> {
  await writeCase(folder, name, [12 + name.length, 10, 8], { label: false });
  const bytes = gunzipSync(readFileSync(join(folder, `${name}.nii.gz`)));
  bytes[123] = code;
  writeFileSync(join(folder, `${name}.nii`), bytes);
  return { id: name, image: `${name}.nii` };
}

describe('cases whose headers are odd', () => {
  it('are prepared in millimetres, and the check names each file once and says why', async () => {
    const cases = [await caseInUnit('a', 1), await caseInUnit('bb', 0), await caseInUnit('ccc', 0)];
    const index = datasetIndex(cases, { spacing: null, foregroundThreshold: null });
    const datasetsFile = writeJson(join(folder, 'datasets.json'), index);
    const checked = await checkDatasets({ datasetsFile, workers: 2 });
    expect(checked.exitCode).toBe(0);
    expect(checked.findings.map(({ id, kind, severity }) => [id, kind, severity])).toEqual([
      ['ct/a', 'header', 'odd'],
      ['ct/bb', 'header', 'odd'],
      ['ct/ccc', 'header', 'odd'],
    ]);
    const out = join(folder, 'prepared');
    const { index: prepared } = await prepareDatasets({ datasetsFile, out, workers: 2 });
    expect(prepared.cases.map(({ spacing }) => spacing)).toEqual([
      [1000, 1000, 1000],
      [1, 1, 1],
      [1, 1, 1],
    ]);
    const lines = checkText(checked).split('\n');
    const odd = lines.filter((line) => line.startsWith('odd'));
    expect(odd).toEqual([
      expect.stringMatching(/^odd ct\/a \[header\]: .*a.nii: xyzt_units says metres, .* spacing is right$/),
      expect.stringMatching(/^odd ct\/bb \[header\]: .*bb.nii: .* \(and 1 files more, which --json names\)$/),
    ]);
  });
});
