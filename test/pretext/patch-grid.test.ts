import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Tensor4D, tf } from '../../src/engine/index.js';
import { UsageError } from '../../src/errors.js';
import {
  groupBySubVolume,
  maskBatch,
  patchGrid,
  randomPatchMask,
  ungroupSubVolumes,
  voxelMask,
} from '../../src/pretext/index.js';
import { cropToRegion, maskedPatches, wholeGrid } from '../../src/pretext/patch-grid.js';
import { randomStream } from '../../src/random/streams.js';
import { visit } from './plain-loops.js';

const paper = { subVolume: 32, patch: 16, region: 64 };

/** Sizes that method.md names and others that divide, on crops with unequal sides. */
const grids = fc
  .record({
    side: fc.constantFrom(1, 2, 4),
    patch: fc.constantFrom(8, 16),
    counts: fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 2 }),
    ),
  })
  .map(({ side, patch, counts }) => {
    const subVolume = side * patch;
    const crop = counts.map((n) => n * subVolume) as [number, number, number];
    return patchGrid(crop, { subVolume, patch, region: subVolume }, 1);
  });

const ratios = fc.double({ min: 0, max: 1, noNaN: true });
const total = (grid: ReturnType<typeof patchGrid>) => grid.patches[0] * grid.patches[1] * grid.patches[2];
const masked = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

describe('the patch grid', () => {
  it('puts the target region of 64 in the middle of 96 voxels, one latent cell from each side', () => {
    expect(patchGrid([96, 96, 96], paper, 16)).toEqual({
      patch: 16,
      patches: [6, 6, 6],
      subVolumes: [3, 3, 3],
      side: 2,
      patchesPerSubVolume: 8,
      margins: { before: [16, 16, 16], after: [16, 16, 16] },
    });
  });

  it('keeps the nearest position before the centre where the network cannot leave out half of the spare voxels', () => {
    expect(patchGrid([96, 96, 96], paper, 32).margins).toEqual({ before: [0, 0, 0], after: [32, 32, 32] });
  });

  it.each([
    [[96, 96, 90], paper, /data.cropSize 90 must be divisible by method.subVolume 32; nearest is 96/],
    [
      [96, 96, 96],
      { ...paper, patch: 12 },
      /method.subVolume 32 must be divisible by method.patch 12; nearest is 36/,
    ],
    [
      [96, 96, 96],
      { ...paper, region: 48 },
      /method.region 48 must be divisible by method.subVolume 32; nearest is 64/,
    ],
    [[64, 64, 64], { ...paper, region: 96 }, /method.region 96 is larger than the crop/],
  ] as const)('refuses %j with %j', (crop, sizes, message) => {
    expect(() => patchGrid(crop, sizes, 16)).toThrow(message);
    expect(() => patchGrid(crop, sizes, 16)).toThrow(UsageError);
  });
});

describe('the two-level masking', () => {
  it('masks exactly round(ratio * patches) patches of every crop, at any sizes', () => {
    fc.assert(
      fc.property(grids, ratios, fc.integer(), (grid, ratio, seed) => {
        const { mask } = randomPatchMask(grid, ratio, randomStream(seed, 'mask'));
        expect(masked(mask)).toBe(Math.round(ratio * total(grid)));
        expect(mask.every((value) => value === 0 || value === 1)).toBe(true);
      }),
    );
  });

  it('counts the locations of each sub-volume, and groups true cubes of patches', () => {
    fc.assert(
      fc.property(grids, ratios, fc.integer(), (grid, ratio, seed) => {
        const { mask, locations, counts } = randomPatchMask(grid, ratio, randomStream(seed, 'mask'));
        const [depth, height, width] = grid.patches;
        const { side, subVolumes, patchesPerSubVolume: n } = grid;
        for (let s = 0; s < counts.length; s++) {
          const corner = [
            Math.floor(s / (subVolumes[1] * subVolumes[2])),
            Math.floor(s / subVolumes[2]) % subVolumes[1],
            s % subVolumes[2],
          ];
          let inCube = 0;
          for (let k = 0; k < n; k++) {
            const offset = [Math.floor(k / side ** 2), Math.floor(k / side) % side, k % side];
            const [z, y, x] = corner.map((c, axis) => c * side + offset[axis]!) as [number, number, number];
            expect(z < depth && y < height && x < width).toBe(true);
            const value = mask[(z * height + y) * width + x]!;
            expect(locations[s * n + k]).toBe(value);
            inCube += value;
          }
          expect(counts[s]).toBe(inCube);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('groups and ungroups without loss on unequal depth, height and width', () => {
    fc.assert(
      fc.property(grids, (grid) => {
        const values = Float32Array.from({ length: total(grid) }, (_, i) => i);
        expect(ungroupSubVolumes(groupBySubVolume(values, grid), grid)).toEqual(values);
      }),
    );
  });

  it('masks every patch equally often, and every pair', () => {
    const grid = patchGrid([64, 64, 64], { subVolume: 32, patch: 16, region: 64 }, 16);
    const draws = 4000;
    const often = new Float64Array(64);
    let neighbours = 0;
    for (let draw = 0; draw < draws; draw++) {
      const { mask } = randomPatchMask(grid, 0.4, randomStream(7, 'mask', draw, 0));
      mask.forEach((value, i) => {
        often[i]! += value;
      });
      neighbours += mask[0]! * mask[1]!;
    }
    const share = Math.round(0.4 * 64) / 64;
    // Chi-squared over 64 patches; draws without replacement make it a little smaller than with 63 degrees of freedom: 0.1% point is 103.
    const chiSquared = often.reduce(
      (sum, n) => sum + (n - draws * share) ** 2 / (draws * share * (1 - share)),
      0,
    );
    expect(chiSquared).toBeLessThan(103);
    expect(chiSquared).toBeGreaterThan(25);
    const pairShare = (26 / 64) * (25 / 63);
    expect(Math.abs(neighbours / draws - pairShare)).toBeLessThan(
      4 * Math.sqrt((pairShare * (1 - pairShare)) / draws),
    );
  });

  it('draws each item of each step anew, and the same again for the same seed and step', () => {
    const grid = patchGrid([96, 96, 96], paper, 16);
    const first = maskBatch(grid, 0.4, 2, 11, 5);
    expect(maskBatch(grid, 0.4, 2, 11, 5)).toEqual(first);
    expect(first.patchMask.slice(0, 216)).not.toEqual(first.patchMask.slice(216));
    expect(maskBatch(grid, 0.4, 2, 11, 6).patchMask).not.toEqual(first.patchMask);
    expect(maskBatch(grid, 0.4, 2, 12, 5).patchMask).not.toEqual(first.patchMask);
  });

  it('spreads a patch over all of its voxels and no others', () => {
    tf.engine().startScope();
    const patches = Float32Array.from({ length: 2 * 2 * 3 * 4 }, (_, i) => i);
    const found = voxelMask(tf.tensor4d(patches, [2, 2, 3, 4]) as Tensor4D, 5);
    expect(found.shape).toEqual([2, 10, 15, 20, 1]);
    const voxels = found.dataSync();
    let at = 0;
    for (let b = 0; b < 2; b++) {
      visit([10, 15, 20], ([z, y, x]) => {
        const patch = ((b * 2 + Math.floor(z / 5)) * 3 + Math.floor(y / 5)) * 4 + Math.floor(x / 5);
        if (voxels[at++] !== patch) expect.fail(`voxel ${[b, z, y, x]} is not of patch ${patch}`);
      });
    }
    tf.engine().endScope();
  });
});

describe('a batch of masks', () => {
  const grid = patchGrid([16, 24, 32], { subVolume: 8, patch: 4, region: 8 }, 8); // 4 x 6 x 8 patches, 24 sub-volumes of 8
  const batch = maskBatch(grid, 0.3, 3, 11, 5);

  it('holds item by item what the stream of seed, step and item draws', () => {
    for (const item of [0, 1, 2]) {
      const { mask, locations, counts } = randomPatchMask(grid, 0.3, randomStream(11, 'mask', 5, item));
      expect(batch.patchMask.slice(item * 192, (item + 1) * 192)).toEqual(mask);
      expect(batch.locations.slice(item * 192, (item + 1) * 192)).toEqual(locations);
      expect(batch.counts.slice(item * 24, (item + 1) * 24)).toEqual(counts);
    }
    expect([batch.patchMask.length, batch.locations.length, batch.counts.length]).toEqual([
      3 * 192,
      3 * 192,
      3 * 24,
    ]);
    expect(batch.counts).toBeInstanceOf(Int32Array);
  });

  it('masks the patches that come first in the order of the stream', () => {
    const order = randomStream(11, 'mask', 5, 1).shuffle(Array.from({ length: 192 }, (_, i) => i));
    const masked = new Set(order.slice(0, 58)); // round(0.3 * 192) = round(57.6)
    expect(maskedPatches(grid, 0.3)).toBe(58);
    expect(
      Array.from(batch.patchMask.subarray(192, 384), (value, i) => value === Number(masked.has(i))).every(
        Boolean,
      ),
    ).toBe(true);
  });
});

describe('a crop that is masked in one level', () => {
  it('has every patch as its own sub-volume, and is reconstructed whole', () => {
    expect(wholeGrid([8, 16, 12], 4)).toEqual({
      patch: 4,
      patches: [2, 4, 3],
      subVolumes: [2, 4, 3],
      side: 1,
      patchesPerSubVolume: 1,
      margins: { before: [0, 0, 0], after: [0, 0, 0] },
    });
    const { locations, counts, mask } = randomPatchMask(
      wholeGrid([8, 16, 12], 4),
      0.5,
      randomStream(1, 'mask'),
    );
    expect([locations, Float32Array.from(counts)]).toEqual([mask, mask]);
  });

  it.each([
    [[10, 16, 12], 10, 12],
    [[8, 1, 12], 1, 4],
    [[8, 16, 13], 13, 12],
  ] as const)('must divide into patches: %j', (crop, found, expected) => {
    expect(() => wholeGrid(crop, 4)).toThrow(
      expect.objectContaining({
        message: `data.cropSize ${found} must be divisible by method.patch 4; nearest is ${expected}`,
        facts: { field: 'data.cropSize', found, expected },
      }),
    );
  });
});

describe('the target region', () => {
  it('may be the whole crop, and lies around the centre of each axis, before it where the strides leave no middle', () => {
    const sizes = { subVolume: 4, patch: 2, region: 8 };
    expect(patchGrid([8, 8, 8], sizes, 4).margins).toEqual({ before: [0, 0, 0], after: [0, 0, 0] });
    expect(patchGrid([8, 12, 16], sizes, 4).margins).toEqual({ before: [0, 0, 4], after: [0, 4, 4] });
    expect(patchGrid([20, 24, 28], sizes, 4).margins).toEqual({ before: [4, 8, 8], after: [8, 8, 12] });
  });

  it('must leave out whole cells, and be no larger than the crop', () => {
    const message =
      'method.region 8 leaves 4 voxels of the crop [8,8,12] beyond it, but this network can leave out whole multiples of 8 only';
    expect(() => patchGrid([12, 8, 8], { subVolume: 4, patch: 2, region: 8 }, 8)).toThrow(
      expect.objectContaining({ message, facts: { field: 'method.region', found: 8 } }),
    );
    expect(() => patchGrid([16, 8, 16], { subVolume: 4, patch: 2, region: 12 }, 4)).toThrow(
      expect.objectContaining({
        message: 'method.region 12 is larger than the crop of [16,8,16] voxels: make it at most 8',
        facts: { field: 'method.region', found: 12 },
      }),
    );
  });

  it('is cut out of a full-size tensor by its margins, and is the tensor itself without any', () => {
    tf.engine().startScope();
    const whole = tf.tensor5d(
      Array.from({ length: 2 * 4 * 5 * 6 * 2 }, (_, i) => i),
      [2, 4, 5, 6, 2],
    );
    const region = cropToRegion(whole, { before: [1, 0, 2], after: [0, 2, 1] });
    expect(region.shape).toEqual([2, 3, 3, 3, 2]);
    const values = region.dataSync();
    let at = 0;
    for (let b = 0; b < 2; b++) {
      visit([3, 3, 3], ([z, y, x]) => {
        for (const c of [0, 1]) expect(values[at++]).toBe((((b * 4 + z + 1) * 5 + y) * 6 + x + 2) * 2 + c);
      });
    }
    expect(cropToRegion(whole, { before: [0, 0, 0], after: [0, 0, 0] })).toBe(whole);
    tf.engine().endScope();
  });
});
