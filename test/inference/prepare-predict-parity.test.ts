import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PreparedCase, prepareDatasets, readPreparedVolume } from '../../src/dataset/index.js';
import { labelScheme, type Predictor, predictCase } from '../../src/inference/index.js';
import {
  type Affine,
  spacingOf,
  type Triple,
  type Volume,
  voxelCount,
  writeNifti,
} from '../../src/volume/index.js';
import { temporaryFolder, writeJson } from '../dataset/generated-data.js';
import { network } from './tiny-predictor.js';

const folder = temporaryFolder();

/** Rotation by 20 degrees about z and then by 15 about x, times a spacing. */
const oblique = ([sx, sy, sz]: Triple): Affine => {
  const [c, s, d, t] = [
    Math.cos(Math.PI / 9),
    Math.sin(Math.PI / 9),
    Math.cos(Math.PI / 12),
    Math.sin(Math.PI / 12),
  ];
  return {
    rows: [
      c * sx,
      -s * sy,
      0,
      -11.3,
      d * s * sx,
      d * c * sy,
      -t * sz,
      7.9,
      t * s * sx,
      t * c * sy,
      d * sz,
      -42,
    ],
  };
};

const grids: Readonly<Record<string, Affine>> = {
  'axes along RAS': { rows: [1.1, 0, 0, -11, 0, 1.1, 0, 4, 0, 0, 1.1, 20] },
  'two axes flipped (LPS)': { rows: [-1.1, 0, 0, 11, 0, -0.9, 0, 30, 0, 0, 1.3, 0] },
  'every axis flipped': { rows: [-1, 0, 0, 11, 0, -1, 0, 30, 0, 0, -1, 9] },
  'sagittal slices, 5 mm apart': { rows: [0, 0, -5, 40, -0.8, 0, 0, 12, 0, -0.8, 0, 3] },
  'oblique and anisotropic': { rows: oblique([0.7, 0.7, 4]).rows },
};

const modes = [
  ['ct-window', 'ct'],
  ['z-score', 'mr'],
  ['percentile', 'mr'],
  ['none', 'mr'],
] as const;

/** Values that no two voxels near one another share, with air around a body that touches no side of the box. */
function scan(affine: Affine, channels: number, integers: boolean): Volume {
  const size: Triple = [23, 19, 14];
  const grid = { size, spacing: spacingOf(affine), affine, channels };
  const count = voxelCount(grid);
  const values = Float32Array.from({ length: count * channels }, (_, at) => {
    const [i, channel] = [at % count, Math.floor(at / count)];
    const place = [i % size[0], Math.floor(i / size[0]) % size[1], Math.floor(i / (size[0] * size[1]))];
    const [x, y, z] = place as [number, number, number];
    if (x < 2 || x > 19 || y < 3 || y > 16 || z < 1 || z > 11) return channel === 0 ? -1000 : 0;
    const value =
      300 * Math.sin(0.9 * x + 0.4 * y) + 150 * Math.cos(1.3 * z - 0.3 * x) + 17 * channel + 0.37 * y;
    return integers ? Math.round(value) : value;
  });
  return { ...grid, data: integers ? Int16Array.from(values) : values };
}

const negated = (volume: Volume): Volume => ({
  ...volume,
  data: Float32Array.from(volume.data, (value) => -0.6 * value),
});

/** A predictor that keeps what it is shown. */
function watcher(channels: number): { readonly predictor: Predictor; readonly shown: Volume[] } {
  const shown: Volume[] = [];
  const logits = async (volume: Volume): Promise<Volume> => {
    shown.push(volume);
    return { ...volume, channels: 2, data: new Float32Array(2 * voxelCount(volume)) };
  };
  const slabs = () => {
    throw new Error('logits of the whole volume were asked for, not slabs');
  };
  return {
    predictor: { network: { ...network, inChannels: channels, outChannels: 2 }, slabs, logits },
    shown,
  };
}

/** The image of a scan as `prepare` keeps it, and as `predict` shows it to a network with the settings that `prepare` recorded. */
async function bothWays(
  name: string,
  volumes: readonly Volume[],
  settings: object,
): Promise<{ prepared: Volume; predicted: Volume }> {
  const place = join(folder, name);
  mkdirSync(place);
  const images = volumes.map((_, i) => `channel-${i}.nii.gz`);
  for (const [i, volume] of volumes.entries()) await writeNifti(join(place, images[i]!), volume);
  const dataset = { layout: 'files', cases: [{ id: 'case', images }], ...settings };
  const datasetsFile = writeJson(join(place, 'datasets.json'), { schema: 1, datasets: { set: dataset } });
  const out = join(place, 'prepared');
  const { index, skipped } = await prepareDatasets({ datasetsFile, out, workers: 1 });
  expect(skipped).toEqual([]);
  const [record] = index.cases as [PreparedCase];
  const { image } = await readPreparedVolume(out, record);
  const { predictor, shown } = watcher(record.channels);
  const scheme = labelScheme({ 1: 'organ' });
  const { preprocessing } = index.datasets.set!;
  await predictCase(predictor, {
    images: images.map((file) => join(place, file)),
    preprocessing,
    scheme,
    withLogits: true,
  });
  expect(shown).toHaveLength(1);
  return { prepared: image, predicted: shown[0]! };
}

function expectSame({ prepared, predicted }: { prepared: Volume; predicted: Volume }): void {
  const { data, ...grid } = prepared;
  const { data: shown, ...shownGrid } = predicted;
  expect(shownGrid).toEqual(grid);
  const apart = data.findIndex((value, i) => !Object.is(value, shown[i]));
  expect([apart, data[apart], shown[apart]], 'the first voxel that differs, prepared, predicted').toEqual([
    -1,
    undefined,
    undefined,
  ]);
  expect(shown).toHaveLength(data.length);
  expect(new Set(data).size).toBeGreaterThan(100); // nothing was clipped or cropped away
}

let cases = 0;
const nextName = () => `${cases++}`;
const cropped = { spacing: [1.5, 1.2, 2], windowHu: [-400, 420], foregroundThreshold: -900 };
const withoutAir = { spacing: [1.5, 1.2, 2], windowHu: [-400, 420], foregroundThreshold: 'background' };
const whole = { spacing: null, windowHu: [-400, 420], foregroundThreshold: null };

describe.each(Object.entries(grids))('a scan with %s', (_, affine) => {
  describe.each(modes)('in the mode %s', (intensity, modality) => {
    it('is the same for training and for prediction, resampled and cropped', async () => {
      expectSame(await bothWays(nextName(), [scan(affine, 1, true)], { ...cropped, modality, intensity }));
    });

    it('is the same with two channels in one file, on its own grid, uncropped', async () => {
      expectSame(await bothWays(nextName(), [scan(affine, 2, false)], { ...whole, modality, intensity }));
    });

    it('is the same with two channels in two files', async () => {
      const files = [scan(affine, 1, false), negated(scan(affine, 1, false))];
      expectSame(await bothWays(nextName(), files, { ...cropped, modality, intensity }));
    });

    it('is the same where what differs from the air of each channel is kept', async () => {
      const files = [scan(affine, 1, false), negated(scan(affine, 2, false))];
      const both = await bothWays(nextName(), files, { ...withoutAir, modality, intensity });
      expectSame(both);
      // The body has 18 x 14 x 11 of 23 x 19 x 14 voxels; resampling may spread it by one on each side.
      const voxels = (volume: Volume) =>
        voxelCount(volume) * spacingOf(volume.affine).reduce((a, b) => a * b);
      expect(voxels(both.prepared)).toBeLessThan(0.75 * voxels(scan(affine, 1, false)));
    });
  });
});

it('has a number in place of NaN and infinity, for training and for prediction, where the index says one', async () => {
  const affine = grids['two axes flipped (LPS)']!;
  const volume = scan(affine, 1, false);
  const data = Float32Array.from(volume.data, (value, i) =>
    value === -1000 ? [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][i % 3]! : value,
  );
  const settings = { ...withoutAir, modality: 'mr', intensity: 'none' };
  const expected = await bothWays(nextName(), [volume], settings);
  const both = await bothWays(nextName(), [{ ...volume, data }], { ...settings, notFinite: -1000 });
  expectSame(both);
  expect(both.prepared).toEqual(expected.prepared);
});

describe('channels in files of different voxel types', () => {
  const affine = grids['axes along RAS']!;
  const [integers, floats] = [scan(affine, 1, true), negated(scan(affine, 1, false))];
  const settings = { ...whole, modality: 'mr', intensity: 'none' };

  it('are the same for training and for prediction where the first file holds float32', async () => {
    expectSame(await bothWays(nextName(), [floats, integers], settings));
  });

  it('are the same for training and for prediction where the first file holds integers', async () => {
    expectSame(await bothWays(nextName(), [integers, floats], settings));
  });
});
