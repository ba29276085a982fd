import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { prepareDatasets } from '../../src/dataset/index.js';
import { evaluateFolders } from '../../src/evaluation/index.js';
import { readVolume, resampleToSpacing } from '../../src/volume/index.js';
import { datasetIndex, writeJson } from '../dataset/generated-data.js';

const scores = z.object({ dice: z.number(), hd95: z.number(), asd: z.number(), nsd1mm: z.number() });
const scan = z.object({ size: z.array(z.number()).length(3), values: z.array(z.number()) });

/** Made by `test/parity/evaluation/make_file_references.py` with MONAI, which computes in float32. */
const { cases, scans } = z
  .object({ cases: z.record(z.string(), scores), scans: z.record(z.string(), scan) })
  .parse(JSON.parse(readFileSync('test/parity/evaluation/files.json', 'utf8')));
const folder = 'test/parity/evaluation/files';
const temporary = mkdtempSync(join(tmpdir(), 'hybridmim-files-'));
afterAll(() => rm(temporary, { recursive: true, force: true }));

describe('files of 0.4 x 0.7 x 5 mm', () => {
  it.each([
    ['same', 'same-grid'],
    ['reoriented', 'reoriented'],
    ['nifti2', 'same-grid'],
  ])('have the scores of MONAI, whichever way their axes run: %s', async (predictions, placement) => {
    const { cases: found, files } = await evaluateFolders({
      predictions: join(folder, predictions),
      labels: join(folder, 'labels'),
      classes: [{ name: 'x', values: [1] }],
    });
    expect(found.map(({ id }) => id)).toEqual(Object.keys(cases).sort());
    expect(files.reoriented.length).toBe(placement === 'reoriented' ? 4 : 0);
    for (const { id, classes } of found)
      for (const [metric, value] of Object.entries(cases[id]!))
        expect(classes.x![metric as keyof typeof classes.x], `${id} ${metric}`).toBeCloseTo(value, 5);
  });
});

describe('a scan with thick slices', () => {
  it.each(Object.entries(scans))(
    'of %s is at 1 mm what MONAI makes of it',
    async (name, { size, values }) => {
      const { size: found, data } = resampleToSpacing(
        await readVolume(join(folder, `${name}.nii.gz`)),
        [1, 1, 1],
        'linear',
      );
      expect(found).toEqual(size);
      for (const [i, value] of values.entries())
        expect(Math.abs(data[i]! - value)).toBeLessThanOrEqual(1e-3 * Math.max(1, Math.abs(value)));
    },
  );

  it('is prepared at that size', async () => {
    const listed = Object.keys(scans).map((id) => ({
      id,
      image: join(process.cwd(), folder, `${id}.nii.gz`),
    }));
    const extra = { spacing: [1, 1, 1], intensity: 'none', foregroundThreshold: null, modality: 'mr' };
    const datasetsFile = writeJson(join(temporary, 'datasets.json'), datasetIndex(listed, extra));
    const { index } = await prepareDatasets({ datasetsFile, out: join(temporary, 'out'), workers: 1 });
    for (const { name, size, spacing } of index.cases)
      expect([size, spacing]).toEqual([scans[name]!.size, [1, 1, 1]]);
    expect(index.cases.length).toBe(2);
  });
});
