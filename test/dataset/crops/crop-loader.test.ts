import { createHash } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noAugmentation } from '../../../src/dataset/crops/augmentation.js';
import {
  type CropBatch,
  type CropLoader,
  type CropLoaderOptions,
  openCropLoader,
  paperAugmentation,
  prepareDatasets,
  readPreparedIndex,
  readPreparedVolume,
} from '../../../src/dataset/index.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { type Triple, type Volume, writeNifti } from '../../../src/volume/index.js';
import {
  datasetIndex,
  labelledCase,
  tellingHu,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../generated-data.js';
import { augmentedSlowly } from '../slow-augmentation.js';

const folder = temporaryFolder();
const preparedDir = join(folder, 'prepared');
const sizes: Record<string, Triple> = {
  large: [45, 40, 38],
  wide: [60, 35, 34],
  flat: [40, 41, 10],
  small: [9, 8, 7],
};
const cropSize: Triple = [24, 24, 16];

beforeAll(async () => {
  for (const [name, size] of Object.entries(sizes)) await writeCase(folder, name, size);
  await writeCase(folder, 'bare', [20, 20, 20], { label: false });
  const twoChannels = volumeOf([20, 20, 20], tellingHu);
  const data = Float32Array.of(...twoChannels.data, ...twoChannels.data.map((value) => -value));
  await writeNifti(join(folder, 'double.nii.gz'), { ...twoChannels, channels: 2, data });
  const dataset = (cases: object[]) => (datasetIndex(cases) as { datasets: { ct: object } }).datasets.ct;
  const datasetsFile = writeJson(join(folder, 'datasets.json'), {
    schema: 1,
    datasets: {
      ct: dataset(Object.keys(sizes).map((name) => labelledCase(name, { split: 'training' }))),
      bare: dataset([{ id: 'bare', image: 'bare.nii.gz', split: 'validation' }]),
      mixed: dataset([
        { id: 'single', image: 'bare.nii.gz', split: 'test' },
        { id: 'double', image: 'double.nii.gz', split: 'test' },
      ]),
    },
  });
  await prepareDatasets({ datasetsFile, out: preparedDir, workers: 2 });
});

const opened: CropLoader[] = [];
afterEach(async () => {
  for (const loader of opened.splice(0)) await loader.close();
});

async function open(options: Partial<CropLoaderOptions> = {}): Promise<CropLoader> {
  const common = {
    preparedDir,
    split: 'training',
    cropSize,
    batchSize: 3,
    seed: 11,
    workers: 1,
    prefetch: 2,
    withLabels: true,
  } as const;
  const loader = await openCropLoader({
    ...common,
    augmentation: paperAugmentation,
    foregroundRatio: 0.5,
    ...options,
  });
  opened.push(loader);
  return loader;
}

/** Whether two arrays hold the same bits; a matcher that walks them element by element takes seconds. */
const sameBits = (a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

const batches = async (
  loader: CropLoader,
  steps: readonly number[],
): Promise<Omit<CropBatch, 'waitSeconds'>[]> => {
  const found = [];
  for (const step of steps) {
    const { waitSeconds, ...batch } = await loader.batch(step);
    expect(waitSeconds).toBeGreaterThanOrEqual(0);
    found.push(batch);
  }
  return found;
};

/** The box of a volume at `start`, 0 outside, voxel by voxel: [c][z][y][x]. */
function sliced({ data, size, channels }: Volume, start: Triple, box: Triple): Float32Array {
  const crop = new Float32Array(box[0] * box[1] * box[2] * channels);
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = start[2]; z < start[2] + box[2]; z++) {
      for (let y = start[1]; y < start[1] + box[1]; y++) {
        for (let x = start[0]; x < start[0] + box[0]; x++, to++) {
          if (x < 0 || y < 0 || z < 0 || x >= size[0] || y >= size[1] || z >= size[2]) continue;
          crop[to] = data[x + size[0] * (y + size[1] * (z + size[2] * c))]!;
        }
      }
    }
  }
  return crop;
}

const voxels = cropSize[0] * cropSize[1] * cropSize[2];
const steps = [0, 1, 2, 3, 4, 5, 6, 7];

describe('the crops of a prepared folder', () => {
  it('are the same for any number of threads, any prefetch and any order of asking', async () => {
    const digests = async (loader: CropLoader, asked: readonly number[]) =>
      (await batches(loader, asked)).map(({ images, labels, provenance }) => ({
        images: createHash('sha256').update(images).digest('hex'),
        labels: createHash('sha256').update(labels!).digest('hex'),
        provenance,
      }));
    const expected = await digests(await open(), steps);
    expect(new Set(expected.map(({ images }) => images)).size).toBe(steps.length);
    expect(await digests(await open({ workers: 3, prefetch: 5 }), steps)).toEqual(expected);
    expect(await digests(await open({ prefetch: 0 }), steps)).toEqual(expected);
    const shuffled = [5, 0, 7, 7, 2, 1, 6, 3, 4, 0];
    const loader = await open({ workers: 2 });
    expect(await digests(loader, shuffled)).toEqual(shuffled.map((step) => expected[step]));
    const atOnce = await Promise.all([3, 1, 2].map((step) => digests(loader, [step])));
    expect(atOnce.flat()).toEqual([3, 1, 2].map((step) => expected[step]));
    expect(await digests(await open({ seed: 12 }), [0])).not.toEqual([expected[0]]);
  });

  it('are the same while auto takes more threads, which is said', async () => {
    const many = Array.from({ length: 30 }, (_, step) => step);
    const crops = { batchSize: 2, cropSize: [24, 24, 24] as Triple, seed: 4 };
    const hashes = async (loader: CropLoader) =>
      (await batches(loader, many)).map(({ images }) => createHash('sha256').update(images).digest('hex'));
    const loader = await open({ ...crops, workers: 'auto', prefetch: 1 });
    const said: string[] = [];
    loader.watchWorkers?.(({ reason }) => said.push(reason));
    expect(await hashes(loader)).toEqual(await hashes(await open(crops)));
    // The batches are asked for one after the other, so that one thread never keeps up.
    if (availableParallelism() > 2)
      expect(said[0]).toMatch(
        /^\d+ threads make crops from here on: a batch takes .* to make and .* to learn from/,
      );
    else expect(said).toEqual([]);
    expect((await open(crops)).watchWorkers).toBeUndefined();
  });

  it('are the slices of the prepared volumes at the places and with the augmentations that they tell', async () => {
    const loader = await open();
    let augmented = 0;
    for (const { images, labels, provenance } of await batches(loader, steps)) {
      for (const [item, { caseId, start, augmentation }] of provenance.entries()) {
        const { image, label } = await readPreparedVolume(
          preparedDir,
          loader.cases.find(({ id }) => id === caseId)!,
        );
        const expected = augmentedSlowly(sliced(image, start, cropSize), cropSize, 1, augmentation!);
        expect(sameBits(images.subarray(item * voxels, (item + 1) * voxels), expected)).toBe(true);
        const geometry = { ...augmentation!, scale: 1, shift: 0 }; // labels move along, their values stay
        const expectedLabel = Int32Array.from(
          augmentedSlowly(sliced(label!, start, cropSize), cropSize, 1, geometry),
        );
        expect(sameBits(labels!.subarray(item * voxels, (item + 1) * voxels), expectedLabel)).toBe(true);
        if (JSON.stringify(augmentation) !== JSON.stringify(noAugmentation)) augmented++;
      }
    }
    expect(augmented).toBeGreaterThan(5);
  });

  it('tell no augmentation where there is none, and hold no labels where none are asked for', async () => {
    const loader = await openCropLoader({ preparedDir, split: 'test', caseIds: ['mixed/double'], ...plain });
    opened.push(loader);
    const { images, labels, provenance } = await loader.batch(0);
    expect(loader.channels).toBe(2);
    expect(labels).toBeUndefined();
    expect(provenance[0]).toEqual({ caseId: 'mixed/double', start: provenance[0]!.start });
    const { image } = await readPreparedVolume(preparedDir, loader.cases[0]!);
    expect(
      sameBits(
        images,
        augmentedSlowly(sliced(image, provenance[0]!.start, cropSize), cropSize, 2, noAugmentation),
      ),
    ).toBe(true);
  });

  it('come from every case once an epoch, in another order each', async () => {
    const loader = await open({ batchSize: 2 });
    const visited = (await batches(loader, steps)).flatMap(({ provenance }) =>
      provenance.map(({ caseId }) => caseId),
    );
    const epochs = [0, 4, 8, 12].map((first) => visited.slice(first, first + 4));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual(loader.cases.map(({ id }) => id).sort());
    expect(new Set(epochs.map((epoch) => epoch.join())).size).toBeGreaterThan(1);
  });

  it('all hold a labelled voxel with foregroundRatio 1, whatever the class is large or small', async () => {
    const { cases } = await readPreparedIndex(preparedDir);
    expect(cases.find(({ name }) => name === 'large')!.classVoxels).toMatchObject({
      1: { stored: 4096 },
      2: { stored: 4096 },
    });
    const tight: Triple = [3, 3, 3];
    const loader = await open({ cropSize: tight, foregroundRatio: 1, batchSize: 4 });
    for (const { labels } of await batches(
      loader,
      Array.from({ length: 30 }, (_, step) => step),
    )) {
      for (let item = 0; item < 4; item++)
        expect(Math.max(...labels!.subarray(item * 27, (item + 1) * 27))).toBeGreaterThan(0);
    }
  });

  it('lie around a volume that is smaller than they are, which is in their middle', async () => {
    const loader = await open({
      caseIds: ['ct/small'],
      batchSize: 1,
      foregroundRatio: 1,
      augmentation: none,
    });
    const [batch] = await batches(loader, [0]);
    expect(batch!.provenance[0]!.start).toEqual([-7, -8, -4]); // (24 - 9) / 2, (24 - 8) / 2, (16 - 7) / 2, rounded down
    const { image } = await readPreparedVolume(preparedDir, loader.cases[0]!);
    const inside = batch!.images.filter((value) => value !== 0);
    expect(inside.length).toBe(image.data.filter((value) => value !== 0).length);
    expect(batch!.images[7 + 24 * (8 + 24 * 4)]).toBe(image.data[0]);
  });
});

const none = { flip: 0, rotate: 0, scaleIntensity: 0, shiftIntensity: 0 };
const plain = { cropSize, batchSize: 1, seed: 0, workers: 1, prefetch: 0, withLabels: false } as const;

describe('opening crops', () => {
  it('refuses a crop that does not fit in memory, in one sentence', async () => {
    const error = await open({ cropSize: [4096, 4096, 4096], batchSize: 4 }).catch(
      (thrown: unknown) => thrown as UsageError,
    );
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toMatch(
      /^crops of 4096x4096x4096 voxels, 4 a batch and 2 batches ahead, need \d+\.\d GiB of memory, but \d+\.\d GiB is free: make cropSize, batchSize or prefetch smaller$/,
    );
  });

  it.each([
    ['batchSize', { batchSize: 0 }, /batchSize is 0, but must be a whole number of at least 1/],
    ['workers', { workers: 1.5 }, /workers is 1.5/],
    ['a side of the crop', { cropSize: [24, -1, 16] as Triple }, /cropSize y is -1/],
    ['prefetch', { prefetch: -1 }, /prefetch is -1, but must be a whole number of at least 0/],
    ['foregroundRatio', { foregroundRatio: 1.2 }, /foregroundRatio is 1.2, but must be between 0 and 1/],
    [
      'a probability',
      { augmentation: { ...none, flip: Number.NaN } },
      /flip is NaN, but must be between 0 and 1/,
    ],
  ])('refuses %s out of range', async (_, options, message) => {
    await expect(open(options)).rejects.toThrow(message);
    await expect(open(options)).rejects.toBeInstanceOf(UsageError);
  });

  it('refuses cases without labels where labels are needed', async () => {
    await expect(open({ split: 'validation' })).rejects.toThrow(
      /^case bare\/bare has no label, but labels are needed: leave it out or give its label/,
    );
    await expect(open({ split: 'validation' })).rejects.toBeInstanceOf(DataError);
    expect((await open({ split: 'validation', withLabels: false })).cases).toHaveLength(1);
  });

  it('refuses cases that differ in channels', async () => {
    const opening = open({ split: 'test', withLabels: false });
    await expect(opening).rejects.toThrow(
      /^case mixed\/double has 2 channels, but mixed\/single has 1: crops of one loader must have the same channels$/,
    );
    await expect(opening).rejects.toBeInstanceOf(DataError);
  });

  it('may be closed while batches are on their way: what arrives late disturbs nobody', async () => {
    for (let round = 0; round < 5; round++) {
      const loader = await openCropLoader({
        preparedDir,
        split: 'training',
        ...plain,
        cropSize: [4, 4, 4],
        prefetch: 40,
        workers: 2,
      });
      await loader.batch(round); // the threads answer one small batch after another while they are closed
      await loader.close();
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('says which prepared file is damaged when a crop needs it, and goes on with the others', async () => {
    const copy = join(folder, 'damaged');
    await prepareDatasets({
      datasetsFile: join(folder, 'datasets.json'),
      out: copy,
      workers: 1,
      only: ['bare'],
    });
    truncateSync(join(copy, 'bare', 'bare.image.hmv'), 5000);
    const loader = await open({ preparedDir: copy, split: 'validation', withLabels: false });
    await expect(loader.batch(0)).rejects.toThrow(
      /bare.image.hmv has 5000 bytes, but its header calls for \d+: delete it and run prepare again/,
    );
    await expect(loader.batch(0)).rejects.toMatchObject({
      exitCode: 3,
      facts: { file: join(copy, 'bare/bare.image.hmv') },
    });
  });
});
