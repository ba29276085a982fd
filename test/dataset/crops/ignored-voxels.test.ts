import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { classFinder } from '../../../src/dataset/cache/class-positions.js';
import { planCrop, visitOrder } from '../../../src/dataset/crops/crop-plan.js';
import {
  openCropLoader,
  type PreparedIndex,
  prepareDatasets,
  readPreparedIndex,
  readPreparedVolume,
} from '../../../src/dataset/index.js';
import { type Triple, writeNifti } from '../../../src/volume/index.js';
import {
  asLabel,
  datasetIndex,
  labelledCase,
  tellingHu,
  temporaryFolder,
  volumeOf,
  writeJson,
} from '../generated-data.js';

const folder = temporaryFolder();
const out = join(folder, 'prepared');
const size: Triple = [40, 36, 20];
const ignore = 3;
/** Two slices that somebody labelled, background and both classes, and one voxel in a corner. */
const labelAt = (x: number, y: number, z: number) => {
  if (z === 7 || z === 8) return x > 10 && x < 20 && y > 4 ? (y > 20 ? 2 : 1) : 0;
  return x === 39 && y === 35 && z === 19 ? 0 : ignore;
};
let index: PreparedIndex;
let skipped: readonly { id: string; reason: string }[];

beforeAll(async () => {
  for (const [name, value] of [
    ['some', labelAt],
    ['none', () => ignore],
  ] as const) {
    await writeNifti(join(folder, `${name}.nii.gz`), volumeOf(size, tellingHu));
    await writeNifti(join(folder, `${name}_label.nii.gz`), asLabel(volumeOf(size, value)));
  }
  const cases = ['some', 'none'].map((name) => labelledCase(name, { split: 'training' }));
  const datasetsFile = writeJson(join(folder, 'datasets.json'), datasetIndex(cases, { ignore }));
  ({ index, skipped } = await prepareDatasets({ datasetsFile, out, workers: 1 }));
});

describe('a dataset with a value to ignore', () => {
  it('is prepared with it, counted apart from the classes, and kept in the index', async () => {
    const [prepared] = index.cases;
    const voxels = { 1: 2 * 9 * 16, 2: 2 * 9 * 15 };
    expect(index.datasets.ct).toMatchObject({ ignore, classes: { 1: 'liver', 2: 'tumour' } });
    expect(prepared!.classVoxels).toEqual({
      1: { voxels: voxels[1], stored: voxels[1] },
      2: { voxels: voxels[2], stored: voxels[2] },
    });
    expect(prepared!.annotatedVoxels).toEqual({ voxels: 2 * 40 * 36 + 1, stored: 2 * 40 * 36 + 1 });
    const { label } = await readPreparedVolume(out, prepared!);
    expect(label!.data).toEqual(asLabel(volumeOf(size, labelAt)).data);
  });

  it('skips a case in which nobody labelled anything', () => {
    expect(skipped).toMatchObject([{ id: 'ct/none' }]);
    expect(skipped[0]!.reason).toMatch(/holds nothing but the value 3, which is ignored/);
  });

  it.each([0, 0.5, 1])(
    'centres every crop on a voxel that is not ignored, with a foreground ratio of %s',
    async (ratio) => {
      const { cases } = await readPreparedIndex(out);
      const centres: Triple[] = [];
      const label = asLabel(volumeOf(size, labelAt)).data;
      const positions = (value: string): number[] =>
        [...label.keys()].filter((i) =>
          value === 'annotated' ? label[i] !== ignore : label[i] === Number(value),
        );
      const known = { 1: positions('1'), 2: positions('2'), annotated: positions('annotated') };
      const options = { cases, cropSize: [9, 9, 5], batchSize: 2, seed: 3, foregroundRatio: ratio } as const;
      const order = visitOrder(3, cases.length);
      for (let step = 0; step < 200; step++) {
        for (const item of [0, 1]) {
          const { start } = planCrop(options, order, step, item, (_, value, rank) => {
            const at = known[value as keyof typeof known][rank]!;
            const centre: Triple = [at % 40, Math.floor(at / 40) % 36, Math.floor(at / 1440)];
            centres.push(centre);
            return centre;
          });
          const [x, y, z] = centres.at(-1)!;
          expect(
            [x, y, z].every((at, axis) => at >= start[axis]! && at < start[axis]! + options.cropSize[axis]!),
          ).toBe(true);
        }
      }
      expect(centres).toHaveLength(400); // every crop has a centre
      expect(centres.every(([x, y, z]) => labelAt(x, y, z) !== ignore)).toBe(true);
      const background = centres.filter(([x, y, z]) => labelAt(x, y, z) === 0).length;
      expect(background > 0).toBe(ratio < 1);
    },
  );

  it('gives crops that all hold something to learn from, with the ignored value in them', async () => {
    const loader = await openCropLoader({
      preparedDir: out,
      split: 'training',
      cropSize: [8, 8, 4],
      batchSize: 4,
      seed: 0,
      workers: 1,
      prefetch: 1,
      withLabels: true,
      foregroundRatio: 0.3,
    });
    try {
      for (let step = 0; step < 8; step++) {
        const { labels } = await loader.batch(step);
        for (let item = 0; item < 4; item++) {
          const crop = labels!.subarray(item * 256, (item + 1) * 256);
          expect(crop.some((value) => value !== ignore)).toBe(true);
          expect(crop.every((value) => value <= ignore)).toBe(true);
        }
      }
    } finally {
      await loader.close();
    }
  });
});

describe('finding voxels that are not ignored', () => {
  it('spreads those that are kept over all of them, in any parts, and lists no position of the ignored value', () => {
    const label = Uint8Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 0 : i % 10 === 1 ? 1 : 9));
    const found = [1, 3].map((parts) => {
      const pieces = Array.from({ length: parts }, (_, i) =>
        label.subarray(Math.floor((i * 1000) / parts), Math.floor(((i + 1) * 1000) / parts)),
      );
      const finder = classFinder(pieces, 20, 9);
      for (const piece of pieces) finder.add(piece);
      return finder;
    });
    for (const { annotated, classes } of found) {
      expect(annotated!.voxels).toBe(200);
      const positions = [...annotated!.positions];
      expect(positions.every((at, i) => at % 10 < 2 && Math.floor(at / 50) === i)).toBe(true); // one of each run
      expect(Object.keys(classes)).toEqual(['1']);
    }
    expect(found[0]!.annotated).toEqual(found[1]!.annotated);
  });
});
