import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CorruptionRecipe } from '../../src/corruption/index.js';
import {
  type CropLoader,
  type CropLoaderOptions,
  openCropLoader,
  prepareDatasets,
  readPreparedIndex,
  unitScales,
} from '../../src/dataset/index.js';
import { writeNifti } from '../../src/volume/index.js';
import {
  datasetIndex,
  tellingHu,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from './generated-data.js';

const folder = temporaryFolder();
const preparedDir = join(folder, 'prepared');
const recipe: CorruptionRecipe = {
  name: 'models-genesis',
  flip: 0.4,
  shuffle: 0.5,
  nonlinear: 0.9,
  paint: 0.9,
  inPaint: 0.2,
};

/** An MR scan with a gap of background, which is 0. */
const brain = (x: number, y: number, z: number) =>
  x >= 10 && x < 13 ? 0 : 300 + ((tellingHu(x, y, z) + 950) % 700);

/** Of the foreground; the z-score is over all that is not zero, whatever it is. */
const thresholds = { mr: 0, 'mr-bright': 600, 'mr-whole': null };

beforeAll(async () => {
  for (const name of ['a', 'b']) await writeCase(folder, name, [30, 28, 26], { label: false });
  await writeNifti(join(folder, 'brain.nii.gz'), volumeOf([30, 28, 26], brain));
  const ct = datasetIndex(['a', 'b'].map((id) => ({ id, image: `${id}.nii.gz`, split: 'training' }))) as {
    datasets: { ct: object };
  };
  const mr = Object.fromEntries(
    Object.entries(thresholds).map(([name, foregroundThreshold]) => [
      name,
      {
        ...ct.datasets.ct,
        modality: 'mr',
        foregroundThreshold,
        cases: [{ id: 'brain', image: 'brain.nii.gz', split: 'training' }],
      },
    ]),
  );
  const datasetsFile = writeJson(join(folder, 'datasets.json'), {
    ...ct,
    datasets: { ...ct.datasets, ...mr },
  });
  await prepareDatasets({ datasetsFile, out: preparedDir, workers: 1 });
});

const opened: CropLoader[] = [];
afterEach(async () => {
  for (const loader of opened.splice(0)) await loader.close();
});

async function open(options: Partial<CropLoaderOptions> = {}): Promise<CropLoader> {
  const common = {
    preparedDir,
    split: 'training',
    datasets: ['ct'],
    cropSize: [20, 16, 18],
    batchSize: 2,
    seed: 3,
    workers: 1,
    prefetch: 1,
  } as const;
  const loader = await openCropLoader({
    ...common,
    withLabels: false,
    corruption: { recipe, heldOut: false },
    ...options,
  });
  opened.push(loader);
  return loader;
}

const same = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

describe('crops that the loader corrupts', () => {
  it('are a function of seed, step and item alone, whatever the number of workers and the order', async () => {
    const [one, two] = [await open(), await open({ workers: 2, prefetch: 3 })];
    const forward = [await one.batch(0), await one.batch(1), await one.batch(2)];
    for (const step of [2, 0, 1]) {
      const { images, corrupted, provenance } = await two.batch(step);
      expect(same(images, forward[step]!.images)).toBe(true);
      expect(same(corrupted!, forward[step]!.corrupted!)).toBe(true);
      expect(provenance).toEqual(forward[step]!.provenance);
    }
    expect(same(forward[0]!.corrupted!, forward[1]!.corrupted!)).toBe(false);
    const other = await (await open({ seed: 4 })).batch(0);
    expect(same(other.corrupted!, forward[0]!.corrupted!)).toBe(false);
  });

  it('come with the crop itself, and say what was done to each', async () => {
    const plain = await (
      await open({ corruption: { recipe: { ...recipe, flip: 0 }, heldOut: false } })
    ).batch(0);
    const loader = await openCropLoader({
      preparedDir,
      split: 'training',
      datasets: ['ct'],
      cropSize: [20, 16, 18],
      batchSize: 2,
      seed: 3,
      workers: 1,
      prefetch: 1,
      withLabels: false,
    });
    opened.push(loader);
    expect(same(plain.images, (await loader.batch(0)).images)).toBe(true);
    expect(plain.provenance.every(({ corruption }) => Array.isArray(corruption))).toBe(true);
    expect((await loader.batch(0)).corrupted).toBeUndefined();
  });

  it('draw from other streams where they are held out', async () => {
    const [training, heldOut] = [await open(), await open({ corruption: { recipe, heldOut: true } })];
    const [a, b] = [await training.batch(0), await heldOut.batch(0)];
    expect(a.provenance.map(({ start }) => start)).toEqual(b.provenance.map(({ start }) => start));
    expect(same(a.corrupted!, b.corrupted!)).toBe(false);
  });

  it.each(Object.keys(thresholds))(
    'of MR lie between 0 and 1, from the 0.5 to the 99.5 percentile, with background at 0: %s',
    async (dataset) => {
      const nothing: CorruptionRecipe = {
        name: 'models-genesis',
        flip: 0,
        shuffle: 0,
        nonlinear: 0,
        paint: 0,
        inPaint: 0,
      };
      const { images } = await (
        await open({
          datasets: [dataset],
          cropSize: [30, 28, 26],
          corruption: { recipe: nothing, heldOut: false },
        })
      ).batch(0);
      const prepared = (await readPreparedIndex(preparedDir)).cases.find(
        ({ id }) => id === `${dataset}/brain`,
      )!;
      const { p005, p995 } = prepared.intensity[0]!;
      expect(unitScales(prepared)).toHaveLength(1);
      expect(() => unitScales({ ...prepared, zScores: undefined })).toThrow(
        /case .*brain does not say how it was scaled.*run "hybridmim prepare" again/,
      );
      let at = 0;
      for (let z = 0; z < 26; z++) {
        for (let y = 0; y < 28; y++) {
          for (let x = 0; x < 30; x++, at++) {
            const value = brain(x, y, z);
            const expected = value === 0 ? 0 : Math.min(1, Math.max(0, (value - p005) / (p995 - p005)));
            if (Math.abs(images[at]! - expected) > 1e-4)
              expect.fail(`voxel ${[x, y, z]} is ${images[at]}, not ${expected}`);
          }
        }
      }
    },
  );
});
