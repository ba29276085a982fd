import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDatasets, prepareDatasets } from '../../src/dataset/index.js';
import { decodeFloats, readReference, referenceFile } from '../volume/references.js';
import { datasetIndex, temporaryFolder, writeJson } from './generated-data.js';

/** Made by `test/parity/volume/make_dicom_label_references.py` with highdicom and scikit-image. */
const { references } = readReference<{ references: Readonly<Record<string, { readonly values: string }>> }>(
  'dicom-labels.json',
);
const file = (name: string) => resolve(referenceFile(join('dicom-labels', name)));
const voxelsOf = (name: string, value: number) =>
  decodeFloats(references[name]!.values).filter((found) => found === value).length;
const folder = temporaryFolder();

describe('segmentations and contours in DICOM', () => {
  it('are prepared as labels, and what "labelMap" maps to background may overlap the rest', async () => {
    const cases = [
      { id: 'seg', image: file('image-axial'), label: file('seg-axial.dcm'), labelMap: { 3: 0 } },
      { id: 'rs', image: file('image-coronal'), label: file('contours-coronal.dcm'), labelMap: { 3: 2 } },
      {
        id: 'over',
        image: file('image-axial'),
        label: file('contours-overlapping.dcm'),
        labelMap: { 99: 0 },
      },
      {
        id: 'both',
        image: file('image-axial'),
        label: file('contours-overlapping.dcm'),
        labelMap: { 99: 2 },
      },
    ];
    const settings = { classes: { 1: 'liver', 2: 'other' }, spacing: null, foregroundThreshold: null };
    const datasetsFile = writeJson(join(folder, 'index.json'), datasetIndex(cases, settings));
    const { findings } = await checkDatasets({ datasetsFile, workers: 1 });
    const unusable = findings.filter(({ severity }) => severity === 'unusable');
    expect(unusable.map(({ id }) => id.split('/').at(-1))).toEqual(['both']);
    expect(unusable[0]?.message).toMatch(/the regions 1 \(Liver\) and 99 \(Body\) overlap/);
    const { index } = await prepareDatasets({ datasetsFile, out: join(folder, 'prepared'), workers: 1 });
    const voxels = Object.fromEntries(
      index.cases.map(({ name, classVoxels }) => [
        name,
        Object.fromEntries(Object.entries(classVoxels).map(([value, found]) => [value, found.voxels])),
      ]),
    );
    expect(voxels).toEqual({
      seg: { 1: voxelsOf('seg-axial', 1), 2: voxelsOf('seg-axial', 2) },
      rs: { 1: voxelsOf('contours-coronal', 1), 2: voxelsOf('contours-coronal', 3) },
      over: { 1: voxelsOf('contours-overlapping', 1) },
    });
  });
});
