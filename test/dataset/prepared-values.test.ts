import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type PreparedCase,
  type PrepareResult,
  prepareDatasets,
  readPreparedVolume,
} from '../../src/dataset/index.js';
import { type Triple, type Volume, voxelCount, writeNifti } from '../../src/volume/index.js';
import { affineOf, asLabel, temporaryFolder, volumeOf, writeJson } from './generated-data.js';

const root = temporaryFolder();

/** Writes the volumes as `<key>.nii.gz`, prepares one dataset whose one case refers to them, and reads the result. */
async function prepared(
  name: string,
  volumes: Readonly<Record<string, Volume>>,
  entry: object,
  listed: object,
): Promise<{ result: PrepareResult; record: PreparedCase; image: Volume; label?: Volume }> {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  for (const [key, volume] of Object.entries(volumes))
    await writeNifti(join(folder, `${key}.nii.gz`), volume);
  const dataset = {
    layout: 'files',
    modality: 'ct',
    spacing: null,
    foregroundThreshold: null,
    ...entry,
    cases: [{ id: 'case', ...listed }],
  };
  const datasetsFile = writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: { set: dataset } });
  const out = join(folder, 'prepared');
  const result = await prepareDatasets({ datasetsFile, out, workers: 1 });
  expect(result.skipped).toEqual([]);
  const [record] = result.index.cases as [PreparedCase];
  return { result, record, ...(await readPreparedVolume(out, record)) };
}

const only = { image: 'image.nii.gz' };
const withLabel = { ...only, label: 'label.nii.gz' };
const at = (volume: Volume, [x, y, z]: Triple, channel = 0) =>
  volume.data[x + volume.size[0] * (y + volume.size[1] * (z + volume.size[2] * channel))]!;

describe('a prepared volume', () => {
  it('is the foreground box of the scan, clipped to its window and scaled to [0, 1], as computed by hand', async () => {
    // 5 x 4 x 3 voxels of air with four voxels of tissue; the box above -1000 HU is x 1..3, y 1..2, z 0..1
    const hu: Record<string, number> = { '1,1,0': -175, '3,1,0': 37.5, '2,2,1': 250, '3,2,1': 1200 };
    const image = volumeOf([5, 4, 3], (x, y, z) => hu[`${x},${y},${z}`] ?? -1000, [2, 3, 4]);
    const label = asLabel(
      volumeOf([5, 4, 3], (x, y, z) => (hu[`${x},${y},${z}`] === 250 ? 2 : x === 1 ? 1 : 0), [2, 3, 4]),
    );
    const settings = {
      windowHu: [-175, 250],
      foregroundThreshold: -1000,
      classes: { 1: 'liver', 2: 'tumour' },
    };
    const { record, ...read } = await prepared('by-hand', { image, label }, settings, withLabel);

    expect(read.image).toMatchObject({ size: [3, 2, 2], spacing: [2, 3, 4], channels: 1 });
    expect([...read.image.data]).toEqual([
      ...[0, 0, 0.5], // z 0, y 1
      ...[0, 0, 0], // z 0, y 2
      ...[0, 0, 0], // z 1, y 1
      ...[0, 1, 1], // z 1, y 2: 1200 HU is clipped
    ]);
    expect([...read.label!.data]).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 2, 0]);
    expect(read.image.affine.rows).toEqual([2, 0, 0, 2, 0, 3, 0, 3, 0, 0, 4, 0]); // the first voxel is the source's (1, 1, 0)
    expect(record).toMatchObject({
      cropStart: [1, 1, 0],
      resampledSize: [5, 4, 3],
      size: [3, 2, 2],
      split: 'training',
    });
    expect(record.source).toMatchObject({ size: [5, 4, 3], spacing: [2, 3, 4] });
    // Statistics in HU over the four voxels above -1000: -175, 37.5, 250 and 1200
    const { min, max, mean, std, median, p005, p995 } = record.intensity[0]!;
    expect([min, max, mean, median]).toEqual([-175, 1200, 328.125, 143.75]);
    expect(std).toBeCloseTo(Math.sqrt((503.125 ** 2 + 290.625 ** 2 + 78.125 ** 2 + 871.875 ** 2) / 4), 6);
    expect(p005).toBeCloseTo(-175 + 0.015 * 212.5, 6);
    expect(p995).toBeCloseTo(250 + 0.985 * 950, 6);
    expect(record.classVoxels).toEqual({ 1: { voxels: 4, stored: 4 }, 2: { voxels: 1, stored: 1 } });
    expect(record.steps).toEqual([
      'reorient to RAS',
      'clip to [-175, 250] HU, scale to [0, 1]',
      'crop to the box above -1000',
    ]);
  });

  it.each([
    ['0, as after a z-score of the brain alone', 0],
    ['-0.65, as after a z-score of the whole volume', -0.65],
  ])('is the box of a brain with negative values in air of %s, which becomes 0', async (_, air) => {
    // The brain is x 2..5, y 1..3, z 1..2 of 8 x 6 x 4; half of its values are negative, none is that of the air.
    const inBrain: Triple = [4, 3, 2];
    const brain = (x: number, y: number, z: number) =>
      (x < 4 ? -0.5 : 2.5) + 0.25 * (y - 2) * (z === 1 ? 1 : -1);
    const image = volumeOf([8, 6, 4], (x, y, z) =>
      x >= 2 && x < 6 && y >= 1 && y < 4 && z >= 1 && z < 3 ? brain(x, y, z) : air,
    );
    const label = asLabel(volumeOf([8, 6, 4], (x, y, z) => (x === 2 && y === 1 && z === 1 ? 1 : 0)));
    const name = `brain${air}`;
    const { record, ...read } = await prepared(
      name,
      { image, label },
      { modality: 'mr', foregroundThreshold: undefined, classes: { 1: 'lesion' } },
      withLabel,
    );
    expect(record).toMatchObject({ cropStart: [2, 1, 1], size: inBrain, classVoxels: { 1: { voxels: 1 } } });
    expect(record.steps).toEqual(['reorient to RAS', 'z-score', 'crop to the box of what is not background']);
    const deviation = Math.sqrt(1.5 ** 2 + (2 / 3) * 0.25 ** 2); // halves 3 apart, and a third of three rows each
    expect(record.zScores![0]!.mean).toBeCloseTo(1, 6);
    expect(record.zScores![0]!.std).toBeCloseTo(deviation, 6);
    expect(record.intensity[0]).toMatchObject({ min: -0.75, max: 2.75, mean: expect.closeTo(1, 6) });
    for (const [x, y, z] of [
      [0, 0, 0],
      [3, 2, 1],
    ] as Triple[])
      expect(at(read.image, [x, y, z])).toBeCloseTo((brain(x + 2, y + 1, z + 1) - 1) / deviation, 6);
  });

  it('keeps air that is within the box at 0, however it was written', async () => {
    const hole = volumeOf([8, 6, 4], (x, y, z) =>
      x === 3 && y === 2 && z === 1 ? -2 : x > 0 && y > 0 && x < 7 && y < 5 ? x - 3.7 : -2,
    );
    const { image } = await prepared(
      'hole',
      { image: hole },
      { modality: 'mr', foregroundThreshold: 'background' },
      only,
    );
    expect(image.size).toEqual([6, 4, 4]);
    expect(at(image, [2, 1, 1])).toBe(0);
    expect(at(image, [0, 0, 0])).toBeLessThan(-1);
  });

  it('is turned to RAS and resampled, the label to the nearest voxel, both staying in place', async () => {
    // Axes written as L, P, S with 1 mm; halving along x only: RAS x = 9 - i, and centres at RAS 0, 2, 4, ... mm
    const lps = (volume: Volume): Volume => ({
      ...volume,
      affine: { rows: [-1, 0, 0, 9, 0, -1, 0, 3, 0, 0, 1, 0] },
    });
    const image = lps(volumeOf([10, 4, 3], (i, j, k) => 10 * i + 100 * j + k));
    const label = asLabel(lps(volumeOf([10, 4, 3], (i) => (i >= 4 ? 1 : 0))));
    const settings = { spacing: [2, 1, 1], intensity: 'none', classes: { 1: 'half' } };
    const { record, ...read } = await prepared('turned', { image, label }, settings, withLabel);
    expect(record.size).toEqual([6, 4, 3]); // round(9 / 2 + 1) = round(5.5), to even: MONAI's rule
    expect(read.image.affine.rows).toEqual([2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
    for (let x = 0; x < 6; x++) {
      const i = Math.max(0, 9 - 2 * x); // beyond the border its last voxel goes on
      for (let y = 0; y < 4; y++)
        expect(at(read.image, [x, y, 2])).toBeCloseTo(10 * i + 100 * (3 - y) + 2, 3);
      expect(at(read.label!, [x, 0, 0])).toBe(i >= 4 ? 1 : 0);
    }
  });

  it('has the channels of a 4-D image, each z-scored over its own non-zero voxels', async () => {
    const [first, second] = [
      volumeOf([4, 3, 2], (x) => (x === 0 ? 0 : x)),
      volumeOf([4, 3, 2], (x) => (x < 2 ? 0 : 100 * x)),
    ];
    const image: Volume = { ...first, channels: 2, data: Float32Array.of(...first.data, ...second.data) };
    const { record, ...read } = await prepared(
      'four-d',
      { image },
      { modality: 'mr', classes: undefined },
      only,
    );
    expect(record.channels).toBe(2);
    // 1, 2, 3 in equal shares: mean 2, deviation sqrt(2/3); 200, 300: mean 250, deviation 50
    const deviation = Math.sqrt(2 / 3);
    const row = (channel: number) => [0, 1, 2, 3].map((x) => at(read.image, [x, 1, 1], channel));
    expect(
      row(0)
        .map((value, i) => value - [0, -1 / deviation, 0, 1 / deviation][i]!)
        .every((error) => Math.abs(error) < 1e-6),
    ).toBe(true);
    expect(row(1)).toEqual([0, 0, -1, 1]);
    expect(record.intensity).toHaveLength(2);
    expect(record.intensity[1]).toMatchObject({ min: 0, max: 300, mean: 125 });
  });

  it('has several files as channels in their order, and refuses files that do not lie voxel on voxel', async () => {
    const modalities = ['flair', 't1', 't1ce', 't2'];
    const volumes = Object.fromEntries(
      modalities.map((key, i) => [key, volumeOf([6, 5, 4], (x, y, z) => 1 + x + y + z + 10 * i)]),
    );
    const images = modalities.map((key) => `${key}.nii.gz`);
    const { record, image } = await prepared(
      'files',
      volumes,
      { modality: 'mr', intensity: 'none' },
      { images },
    );
    expect([record.channels, record.sourceImages.length, record.fingerprint.sources.length]).toEqual([
      4, 4, 4,
    ]);
    expect(modalities.map((_, channel) => at(image, [2, 1, 3], channel))).toEqual([7, 17, 27, 37]);

    const folder = join(root, 'files-apart');
    mkdirSync(folder);
    await writeNifti(join(folder, 'a.nii.gz'), volumes.flair!);
    await writeNifti(join(folder, 'b.nii.gz'), { ...volumes.t1!, affine: affineOf([1, 1, 1], [0, 0, 3]) });
    const dataset = {
      layout: 'files',
      modality: 'mr',
      cases: [{ id: 'case', images: ['a.nii.gz', 'b.nii.gz'] }],
    };
    const datasetsFile = writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: { set: dataset } });
    const { skipped } = await prepareDatasets({ datasetsFile, out: join(folder, 'prepared'), workers: 1 });
    expect(skipped[0]!.reason).toMatch(
      /^channel 2 .*b.nii.gz lies elsewhere than its image .*a.nii.gz: the affines put a corner 3.00 mm apart/,
    );
  });

  it('has labels mapped to the task, "*" for every value that is not listed, a case before its dataset', async () => {
    const image = volumeOf([6, 4, 4], () => 50);
    const label = asLabel(volumeOf([6, 4, 4], (x) => x + 4)); // 4 to 9
    const classes = { 1: 'aorta', 2: 'vein' };
    const mapped = await prepared(
      'mapped',
      { image, label },
      { classes, labelMap: { '*': 2 } },
      { ...withLabel, labelMap: { 8: 1, 5: 2, '*': 0 } },
    );
    expect([0, 1, 2, 3, 4, 5].map((x) => at(mapped.label!, [x, 0, 0]))).toEqual([0, 2, 0, 0, 1, 0]);
    expect(mapped.record.labelMap).toEqual({ 8: 1, 5: 2, '*': 0 });
    const common = await prepared(
      'mapped-all',
      { image, label },
      { classes, labelMap: { 4: 1, '*': 2 } },
      withLabel,
    );
    expect([0, 1, 5].map((x) => at(common.label!, [x, 0, 0]))).toEqual([1, 2, 2]);
  });

  it.each([
    ['uint8', Uint8Array, [0, 7, 200]],
    ['int8', Int8Array, [-100, 7, 100]],
    ['uint16', Uint16Array, [0, 7, 60_000]],
    ['int16', Int16Array, [-1000, 7, 3000]],
    ['int32', Int32Array, [-100_000, 7, 100_000]],
    ['uint32', Uint32Array, [0, 7, 100_000]],
    ['float32', Float32Array, [-0.5, 7, 1e6]],
  ] as const)('keeps the values of %s files', async (name, ArrayType, values) => {
    const grid = volumeOf([3, 5, 2], () => 0);
    const image: Volume = { ...grid, data: new ArrayType(voxelCount(grid)).map((_, i) => values[i % 3]!) };
    const label: Volume = { ...grid, data: new ArrayType(voxelCount(grid)).map((_, i) => i % 2) };
    const read = await prepared(
      `type-${name}`,
      { image, label },
      { intensity: 'none', classes: { 1: 'one' } },
      withLabel,
    );
    expect([0, 1, 2].map((x) => at(read.image, [x, 2, 1]))).toEqual(values);
    expect([...read.label!.data]).toEqual([...label.data]);
    expect(read.label!.data).toBeInstanceOf(Uint8Array);
  });

  it('has class values above 255', async () => {
    const image = volumeOf([3, 2, 2], () => 1);
    const label: Volume = {
      ...image,
      data: Uint16Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 700 : 0)),
    };
    const read = await prepared('wide', { image, label }, { classes: { 700: 'vessel' } }, withLabel);
    expect([...read.label!.data]).toEqual([...label.data]);
  });

  it('is scaled between its own 0.5 and 99.5 percentiles where the dataset says so', async () => {
    const image = volumeOf([201, 1, 1], (x) => x); // percentiles 1 and 199
    const read = await prepared('percentile', { image }, { modality: 'mr', intensity: 'percentile' }, only);
    expect([0, 1, 100, 199, 200].map((x) => at(read.image, [x, 0, 0]))).toEqual([0, 0, 0.5, 1, 1]);
  });
});
