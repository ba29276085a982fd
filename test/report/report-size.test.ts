import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeReport } from '../../src/report/index.js';
import { temporaryFolder } from '../temporary-folder.js';
import { sampleCase, sampleContent } from './report-samples.js';

const folder = temporaryFolder();

it('keeps a report of 100 cases under 25 MB, also where their voxels are noise that compresses badly', async () => {
  const file = join(folder, 'report.html');
  const sample = sampleCase('sample', 'ours', 3, 52);
  const volumes = await sample.load();
  const cases = Array.from({ length: 100 }, (_, i) => ({
    ...sample,
    id: `case ${i + 1}`,
    result: { ...sample.result, id: `case ${i + 1}` },
    load: async () => volumes,
  }));
  await writeReport(file, sampleContent(cases));
  expect(statSync(file).size).toBeLessThan(25e6);
  expect(readFileSync(file, 'utf8').match(/<script type="application\/json" id="case-/g)).toHaveLength(100);
});
