import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, createState, type Tensor4D } from '../../src/engine/index.js';
import { UsageError } from '../../src/errors.js';
import { groupBySubVolume, maskBatch, patchGrid, randomPatchMask, ungroupSubVolumes, voxelMask } from '../../src/pretext/index.js';
import { randomStream } from '../../src/random/streams.js';

const paper = { subVolume: 32, patch: 16, region: 64 };

/** Sizes that method.md names and others that divide, on crops with unequal sides. */
const grids = fc
  .record({
    side: fc.constantFrom(1, 2, 4),
    patch: fc.constantFrom(8, 16),
    counts: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 })),
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
    [[96, 96, 96], { ...paper, patch: 12 }, /method.subVolume 32 must be divisible by method.patch 12; nearest is 36/],
    [[96, 96, 96], { ...paper, region: 48 }, /method.region 48 must be divisible by method.subVolume 32; nearest is 64/],
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
          const corner = [Math.floor(s / (subVolumes[1] * subVolumes[2])), Math.floor(s / subVolumes[2]) % subVolumes[1], s % subVolumes[2]];
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
    const chiSquared = often.reduce((sum, n) => sum + (n - draws * share) ** 2 / (draws * share * (1 - share)), 0);
    expect(chiSquared).toBeLessThan(103);
    expect(chiSquared).toBeGreaterThan(25);
    const pairShare = (26 / 64) * (25 / 63);
    expect(Math.abs(neighbours / draws - pairShare)).toBeLessThan(4 * Math.sqrt((pairShare * (1 - pairShare)) / draws));
  });

  it('draws each item of each step anew, and the same again for the same seed and step', () => {
    const grid = patchGrid([96, 96, 96], paper, 16);
    const first = maskBatch(grid, 0.4, 2, 11, 5);
    expect(maskBatch(grid, 0.4, 2, 11, 5)).toEqual(first);
    expect(first.patchMask.slice(0, 216)).not.toEqual(first.patchMask.slice(216));
    expect(maskBatch(grid, 0.4, 2, 11, 6).patchMask).not.toEqual(first.patchMask);
    expect(maskBatch(grid, 0.4, 2, 12, 5).patchMask).not.toEqual(first.patchMask);
  });

  it('spreads a patch over all of its voxels and no others', async () => {
    const state = createState({}, { engine: 'eager' });
    const step = compile(({ patches }) => ({ voxels: voxelMask(patches as Tensor4D, 4) }), {
      name: 'voxel mask',
      inputs: { patches: { shape: [2, 2, 3, 1], dtype: 'float32' } },
      state,
      precision: 'float32',
    });
    const patches = Float32Array.from({ length: 12 }, (_, i) => i);
    const voxels = (await step.run({ patches })).voxels!;
    let at = 0;
    for (let b = 0; b < 2; b++) {
      for (let z = 0; z < 8; z++) {
        for (let y = 0; y < 12; y++) {
          for (let x = 0; x < 4; x++) expect(voxels[at++]).toBe(((b * 2 + Math.floor(z / 4)) * 3 + Math.floor(y / 4)) * 1 + 0);
        }
      }
    }
    state.dispose();
  });
});
