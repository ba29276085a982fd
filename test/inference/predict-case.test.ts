import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Preprocessing } from '../../src/dataset/index.js';
import { dice } from '../../src/evaluation/index.js';
import { labelScheme, predictCase } from '../../src/inference/index.js';
import {
  applyAffine,
  invertAffine,
  readVolume,
  reorientToRas,
  resampleToGrid,
  type Triple,
  type Volume,
  voxelCount,
} from '../../src/volume/index.js';
import { largestDifference } from '../volume/references.js';
import { ellipsoid, sampled, sourceGrids, storages, storedGrid, upright } from './grids.js';
import { ct, scanHu, scheme, thresholdPredictor, tinyPredictor, written } from './tiny-predictor.js';

const asItIs: Preprocessing = {
  spacing: null,
  intensity: 'none',
  windowHu: [-1000, 1000],
  foregroundThreshold: null,
};
const predictor = tinyPredictor();

const histogram = (data: ArrayLike<number>) =>
  [0, 1, 2].map((value) => Array.from(data).filter((found) => found === value).length);

describe('the prediction of a scan', () => {
  it.each(storages)('has the grid and affine of the file, stored as %s', async (name, axes) => {
    const { size, affine } = storedGrid(upright, axes);
    const file = await written(`grid-${name}`, sampled(size, affine, scanHu));
    for (const preprocessing of ['none', asItIs, ct] as const) {
      const { label } = await predictCase(predictor, { images: [file], preprocessing, scheme });
      const back = await readVolume(await written('prediction', label));
      const source = await readVolume(file);
      expect({ size: back.size, affine: back.affine, spacing: back.spacing }).toEqual({
        size: source.size,
        affine: source.affine,
        spacing: source.spacing,
      });
      expect(back.channels).toBe(1);
    }
  });

  it('lies at the same places of the world however the file stores its axes', async () => {
    const found = [];
    for (const [name, axes] of storages) {
      const { size, affine } = storedGrid(upright, axes);
      const file = await written(`place-${name}`, sampled(size, affine, scanHu));
      found.push(
        reorientToRas(
          (await predictCase(predictor, { images: [file], preprocessing: asItIs, scheme })).label,
        ),
      );
    }
    const [first, ...others] = found as [Volume, ...Volume[]];
    expect(Math.min(...histogram(first.data))).toBeGreaterThan(200);
    for (const other of others) {
      expect(other.affine.rows).toEqual(first.affine.rows);
      expect(largestDifference(other.data, first.data)).toBe(0);
    }
  });

  it('is made in the orientation of the file with preprocessing "none": another orientation, another prediction', async () => {
    const labels = [];
    for (const [name, axes] of storages.slice(0, 2)) {
      const { size, affine } = storedGrid(upright, axes);
      const file = await written(`none-${name}`, sampled(size, affine, scanHu));
      const volume = await readVolume(file);
      const { label } = await predictCase(predictor, { images: [file], preprocessing: 'none', scheme });
      const logits = await predictor.logits(volume);
      const voxels = voxelCount(volume);
      const largest = Array.from({ length: voxels }, (_, i) => {
        const channels = [0, 1, 2].map((c) => logits.data[c * voxels + i]!);
        return channels.indexOf(Math.max(...channels));
      });
      expect(largestDifference(label.data, largest)).toBe(0);
      labels.push(reorientToRas(label).data);
    }
    expect(largestDifference(labels[0]!, labels[1]!)).toBeGreaterThan(0);
  });

  it('is the same for integers as for the same numbers in float32', async () => {
    const volume = sampled(upright.size, upright.affine, (world) => Math.round(scanHu(world)));
    const [float, int] = [
      await written('float', volume),
      await written('int', { ...volume, data: Int16Array.from(volume.data) }),
    ];
    for (const preprocessing of ['none', ct] as const) {
      const options = { preprocessing, scheme };
      const [a, b] = [
        await predictCase(predictor, { images: [float], ...options }),
        await predictCase(predictor, { images: [int], ...options }),
      ];
      expect(largestDifference(a.label.data, b.label.data)).toBe(0);
    }
  });

  it('comes with logits on the grid of the scan when they are asked for', async () => {
    const { size, affine } = storedGrid(upright, [3, -1, 2]);
    const file = await written('logits', sampled(size, affine, scanHu));
    const { label, logits } = await predictCase(predictor, {
      images: [file],
      preprocessing: asItIs,
      scheme,
      withLogits: true,
    });
    expect(logits).toMatchObject({ size, channels: 3 });
    const voxels = voxelCount({ size });
    const wrong = Array.from(label.data).findIndex((value, i) => {
      const channels = [0, 1, 2].map((c) => logits!.data[c * voxels + i]!);
      return channels[value] !== Math.max(...channels);
    });
    expect(wrong).toBe(-1);
    expect(
      await predictCase(predictor, { images: [file], preprocessing: asItIs, scheme }),
    ).not.toHaveProperty('logits');
  });
});

describe.each(sourceGrids)('finding a bright ellipsoid in a CT, $name', ({ name, size, affine }) => {
  it('gives its voxels in the scan, Dice above 0.95, and nothing elsewhere', async () => {
    const inside = ellipsoid([6, -5, 4], [24, 20, 17]);
    const body = ellipsoid([0, 0, 0], [40, 38, 33]);
    const image = sampled(size, affine, (world) => (inside(world) < 1 ? 1000 : body(world) < 1 ? 0 : -1000));
    const file = await written(`ellipsoid-${name}`, image);
    const { label } = await predictCase(thresholdPredictor(0.75, [24, 20, 16]), {
      images: [file],
      preprocessing: ct,
      scheme: labelScheme({ 1: 'organ' }),
    });
    const truth = Uint8Array.from(sampled(size, affine, (world) => Number(inside(world) < 1)).data);
    expect(label.size).toEqual(size);
    expect(dice(label.data as Uint8Array, truth)!).toBeGreaterThan(0.95);
    const far = sampled(size, affine, (world) => Number(ellipsoid([6, -5, 4], [30, 26, 23])(world) > 1)).data;
    expect(Array.from(label.data).some((value, i) => value === 1 && far[i] === 1)).toBe(false);
  });
});

const realData = process.env.HYBRIDMIM_REAL_DATA;

describe.skipIf(!realData)('a real CT', () => {
  it('keeps the liver at its place however the file stores its axes', async () => {
    const organs = await readVolume(join(realData!, 'ct_abdomen_organs.nii.gz'));
    const liver = Uint8Array.from(organs.data, (value) => Number(value === 6));
    // The label as a scan, so that only geometry is at stake.
    const scan = { ...organs, data: Float32Array.from(liver, (value) => (value ? 1000 : -990)) };
    for (const [name, axes] of [storages[1]!, storages[3]!]) {
      const file = await written(`liver-${name}`, stored(scan, axes));
      const preprocessing: Preprocessing = { ...ct, spacing: [2, 2, 2.5], foregroundThreshold: null };
      const { label } = await predictCase(thresholdPredictor(0.5, [64, 64, 48]), {
        images: [file],
        preprocessing,
        scheme: labelScheme({ 6: 'liver' }),
      });
      const back = resampleToGrid(label, organs, 'nearest');
      expect(
        dice(
          Uint8Array.from(back.data, (value) => Number(value === 6)),
          liver,
        )!,
      ).toBeGreaterThan(0.95);
    }
  });
});

/** The same voxels with other axes. */
function stored(volume: Volume, axes: Triple): Volume {
  const { size, affine } = storedGrid(volume, axes);
  const toVolume = invertAffine(volume.affine);
  const [nx, ny] = volume.size;
  return sampled(size, affine, (world) => {
    const [x, y, z] = applyAffine(toVolume, world).map(Math.round) as [number, number, number];
    return volume.data[x + nx * (y + ny * z)]!;
  });
}
