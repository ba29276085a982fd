import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PreparedCase, prepareDatasets, readPreparedVolume } from '../../src/dataset/index.js';
import { dice } from '../../src/evaluation/index.js';
import { labelScheme } from '../../src/inference/index.js';
import { labelOnGrid } from '../../src/inference/to-label.js';
import { readVolume, type Triple, type Volume } from '../../src/volume/index.js';
import { decodeFloats, largestDifference } from '../volume/references.js';
import { temporaryFolder, writeJson } from './generated-data.js';

/** What `test/parity/dataset/make_real_references.py` wrote: MONAI's grid, and its values at voxels drawn by a seed. */
interface RealReference {
  readonly image: string;
  readonly label?: string;
  readonly spacing: Triple;
  readonly window: readonly [number, number];
  readonly size: readonly number[];
  readonly affine: readonly number[];
  readonly mean: number;
  readonly at: string;
  readonly values: string;
  /** The values in MONAI's prepared label. */
  readonly classes?: readonly string[];
}

const real = process.env.HYBRIDMIM_REAL_DATA;
const { cases } = JSON.parse(readFileSync('test/parity/dataset/real-scans.json', 'utf8')) as {
  cases: RealReference[];
};
const named = cases.map((reference, i) => ({
  reference,
  name: `set${i}`,
  title: `${reference.image} in the window ${reference.window.join(' to ')}`,
}));

/** One organ of a prepared label as the logits, background and organ, of a network that is never wrong. */
function certain(label: Volume, value: number): Volume {
  const voxels = label.data.length;
  const data = new Float32Array(2 * voxels);
  label.data.forEach((found, i) => {
    data[i] = found === value ? -4 : 4;
    data[voxels + i] = -data[i]!;
  });
  return { ...label, channels: 2, data };
}

describe.skipIf(!real)('real scans, prepared', () => {
  const folder = temporaryFolder();
  const records = new Map<string, PreparedCase>();

  beforeAll(async () => {
    const file = (name: string) => join(real!, `${name}.nii.gz`);
    const datasets = named.map(({ reference: { image, label, spacing, window }, name }) => {
      const classes = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [i + 1, `organ ${i + 1}`]));
      const listed = { id: 'case', image: file(image), ...(label !== undefined && { label: file(label) }) };
      const settings = {
        intensity: 'ct-window',
        windowHu: window,
        foregroundThreshold: window[0],
        spacing,
        classes,
      };
      return [name, { layout: 'files', modality: 'ct', cases: [listed], ...settings }] as const;
    });
    const datasetsFile = writeJson(join(folder, 'datasets.json'), {
      schema: 1,
      datasets: Object.fromEntries(datasets),
    });
    const { index, skipped } = await prepareDatasets({ datasetsFile, out: join(folder, 'out') });
    expect(skipped).toEqual([]);
    for (const record of index.cases) records.set(record.dataset, record);
  });

  it.each(named)(
    'lie where the MONAI pipeline puts them and have its values within 1e-3 of the range: $title',
    async ({ reference, name }) => {
      const record = records.get(name)!;
      const { image, label } = await readPreparedVolume(join(folder, 'out'), record);
      expect(image.size).toEqual(reference.size);
      expect(largestDifference(image.affine.rows, reference.affine)).toBeLessThan(1e-3); // mm
      const at = new Uint32Array(Uint8Array.from(Buffer.from(reference.at, 'base64')).buffer);
      const found = Float32Array.from(at, (i) => image.data[i]!);
      expect(largestDifference(found, decodeFloats(reference.values))).toBeLessThan(1e-3);
      let sum = 0;
      for (const value of image.data) sum += value;
      expect(Math.abs(sum / image.data.length - reference.mean)).toBeLessThan(1e-5);
      // How many voxels a class has depends on which of two equally near ones is taken, at every second voxel from 3 to 1.5 mm.
      expect(Object.keys(record.classVoxels)).toEqual(reference.classes ?? []);
      expect(label === undefined).toBe(reference.label === undefined);
    },
  );

  it.each(named.filter(({ reference }) => reference.label !== undefined))(
    'keep organs of more than 1,000 voxels there and back, Dice above 0.95: $title',
    async ({ reference, name }) => {
      const original = await readVolume(join(real!, `${reference.label}.nii.gz`));
      const { label } = await readPreparedVolume(join(folder, 'out'), records.get(name)!);
      const masks = new Map(
        reference
          .classes!.map(Number)
          .map((value) => [value, Uint8Array.from(original.data, (found) => Number(found === value))]),
      );
      const large = [...masks].filter(([, mask]) => mask.reduce((count, inside) => count + inside, 0) > 1000);
      expect(large.length).toBeGreaterThan(0);
      for (const [value, mask] of large) {
        const back = labelOnGrid(certain(label!, value), original, labelScheme({ 1: 'organ' }));
        expect(dice(Uint8Array.from(back.data), mask), `label ${value}`).toBeGreaterThan(0.95);
      }
    },
  );
});
