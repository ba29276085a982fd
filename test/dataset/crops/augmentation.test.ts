import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Augmentation,
  noAugmentation,
  paperAugmentation,
  placeCrop,
  planAugmentation,
} from '../../../src/dataset/crops/augmentation.js';
import type { Triple } from '../../../src/volume/index.js';
import { augmentedSlowly } from '../slow-augmentation.js';

const side = fc.integer({ min: 1, max: 5 });
const channelCount = fc.integer({ min: 1, max: 3 });
const flips = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());
const square = fc.tuple(side, side).map(([n, z]): Triple => [n, n, z]);
const anySize: fc.Arbitrary<Triple> = fc.tuple(side, side, side);

/** Distinct numbers, [c][z][y][x]. */
const counting = (size: Triple, channels: number) =>
  Float32Array.from({ length: size[0] * size[1] * size[2] * channels }, (_, i) => i + 1);

/** [c][z][y][x] to the augmented [z][y][x][c]. */
function placed(
  crop: ArrayLike<number>,
  size: Triple,
  channels: number,
  change: Partial<Augmentation> = {},
): Float32Array {
  const target = new Float32Array(crop.length);
  placeCrop(crop, size, channels, { ...noAugmentation, ...change }, target);
  return target;
}

/** [z][y][x][c] back to [c][z][y][x], so that a crop can be placed again. */
function planar(placedCrop: Float32Array, channels: number): Float32Array {
  const voxels = placedCrop.length / channels;
  return Float32Array.from(
    placedCrop,
    (_, i) => placedCrop[(i % voxels) * channels + Math.floor(i / voxels)]!,
  );
}

describe('placing a crop', () => {
  it('does to every voxel what a slow reference does that looks each one up', () => {
    const turns = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
    fc.assert(
      fc.property(square, channelCount, flips, turns, (size, channels, flip, quarterTurns) => {
        const augmentation: Augmentation = { flip, quarterTurns, scale: 1.05, shift: -0.03 };
        const crop = counting(size, channels);
        expect(placed(crop, size, channels, augmentation)).toEqual(
          augmentedSlowly(crop, size, channels, augmentation),
        );
      }),
    );
  });

  it('gives the crop itself, channels last, without augmentation', () => {
    const crop = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40); // two channels of 2 x 1 x 2 voxels
    expect([...placed(crop, [2, 1, 2], 2)]).toEqual([1, 10, 2, 20, 3, 30, 4, 40]);
  });

  it('turns from x towards y: the voxel on the +x side comes to the +y side', () => {
    const crop = Float32Array.of(0, 0, 0, 0, 0, 5, 0, 0, 0); // 5 at (2, 1) of 3 x 3
    expect([...placed(crop, [3, 3, 1], 1, { quarterTurns: 1 })]).toEqual([0, 0, 0, 0, 0, 0, 0, 5, 0]); // at (1, 2)
  });

  it('gives the crop back after the same flip twice, for any size', () => {
    fc.assert(
      fc.property(anySize, channelCount, flips, (size, channels, flip) => {
        const crop = counting(size, channels);
        const once = planar(placed(crop, size, channels, { flip }), channels);
        expect(planar(placed(once, size, channels, { flip }), channels)).toEqual(crop);
      }),
    );
  });

  it('gives the crop back after four quarter turns, and two quarter turns are one half turn', () => {
    fc.assert(
      fc.property(square, channelCount, (size, channels) => {
        const crop = counting(size, channels);
        const turned = (from: Float32Array, quarterTurns: 1 | 2 | 3) =>
          planar(placed(from, size, channels, { quarterTurns }), channels);
        const half = turned(turned(crop, 1), 1);
        expect(half).toEqual(turned(crop, 2));
        expect(turned(turned(half, 1), 1)).toEqual(crop);
        expect(turned(turned(crop, 3), 1)).toEqual(crop);
      }),
    );
  });

  it('gives the crop back after two half turns of an oblong crop', () => {
    fc.assert(
      fc.property(anySize, channelCount, (size, channels) => {
        const crop = counting(size, channels);
        const half = planar(placed(crop, size, channels, { quarterTurns: 2 }), channels);
        expect(planar(placed(half, size, channels, { quarterTurns: 2 }), channels)).toEqual(crop);
      }),
    );
  });

  it('scales first and shifts then', () => {
    expect(placed(Float32Array.of(0.5), [1, 1, 1], 1, { scale: 1.5, shift: 0.25 })[0]).toBe(1);
  });
});

describe('drawing augmentations', () => {
  const draws = 20_000;
  const drawn = (probabilities = paperAugmentation, cropSize: Triple = [32, 32, 32]) =>
    Array.from({ length: draws }, (_, i) =>
      planAugmentation(7, Math.floor(i / 4), i % 4, probabilities, cropSize),
    );
  const all = drawn();

  /** 4 standard deviations of a share of `draws` draws: a fair stream fails once in 16,000 such checks, and the seed is fixed. */
  const tolerance = (p: number, n = draws) => 4 * Math.sqrt((p * (1 - p)) / n);
  const share = (of: readonly Augmentation[], holds: (augmentation: Augmentation) => boolean) =>
    of.filter(holds).length / of.length;

  it.each([
    ['a flip along x', 0.2, ({ flip }: Augmentation) => flip[0]],
    ['a flip along y', 0.2, ({ flip }: Augmentation) => flip[1]],
    ['a flip along z', 0.2, ({ flip }: Augmentation) => flip[2]],
    ['a turn', 0.2, ({ quarterTurns }: Augmentation) => quarterTurns > 0],
    ['a scaling', 0.1, ({ scale }: Augmentation) => scale !== 1],
    ['a shift', 0.1, ({ shift }: Augmentation) => shift !== 0],
    ['flips along x and y both', 0.04, ({ flip }: Augmentation) => flip[0] && flip[1]], // independent
  ] as const)('gives %s in %d of the crops, as the paper has it', (_, probability, holds) => {
    expect(Math.abs(share(all, holds) - probability)).toBeLessThan(tolerance(probability));
  });

  it('draws the three turns alike, and factors and offsets evenly within 0.1', () => {
    const turned = all.filter(({ quarterTurns }) => quarterTurns > 0);
    for (const turns of [1, 2, 3]) {
      expect(Math.abs(share(turned, ({ quarterTurns }) => quarterTurns === turns) - 1 / 3)).toBeLessThan(
        tolerance(1 / 3, turned.length),
      );
    }
    for (const offsets of [all.map(({ scale }) => scale - 1), all.map(({ shift }) => shift)]) {
      const applied = offsets.filter((offset) => offset !== 0);
      expect(Math.max(...applied.map(Math.abs))).toBeLessThanOrEqual(0.1 + 1e-12);
      const mean = applied.reduce((sum, offset) => sum + offset, 0) / applied.length;
      expect(Math.abs(mean)).toBeLessThan((4 * 0.1) / Math.sqrt(3 * applied.length)); // 4 deviations of the mean of a uniform
      expect(applied.filter((offset) => Math.abs(offset) > 0.05).length / applied.length).toBeCloseTo(0.5, 1);
    }
  });

  it('turns a crop that is not square in x and y by 180 degrees or not at all', () => {
    const turns = new Set(
      drawn({ ...paperAugmentation, rotate: 1 }, [32, 48, 32]).map(({ quarterTurns }) => quarterTurns),
    );
    expect([...turns]).toEqual([2]);
    const oblongAlongZ = new Set(
      drawn({ ...paperAugmentation, rotate: 1 }, [32, 32, 16]).map(({ quarterTurns }) => quarterTurns),
    );
    expect([...oblongAlongZ].sort()).toEqual([1, 2, 3]);
  });

  it('does nothing at probability 0 and everything at 1', () => {
    const none = { flip: 0, rotate: 0, scaleIntensity: 0, shiftIntensity: 0 };
    expect(
      drawn(none).every((augmentation) => JSON.stringify(augmentation) === JSON.stringify(noAugmentation)),
    ).toBe(true);
    const every = drawn({ flip: 1, rotate: 1, scaleIntensity: 1, shiftIntensity: 1 });
    expect(
      every.every(
        ({ flip, quarterTurns, scale, shift }) =>
          flip.every(Boolean) && quarterTurns > 0 && scale !== 1 && shift !== 0,
      ),
    ).toBe(true);
  });

  it('is a function of seed, step and item, and one probability does not move the draws of another', () => {
    expect(planAugmentation(1, 2, 3, paperAugmentation, [8, 8, 8])).toEqual(
      planAugmentation(1, 2, 3, paperAugmentation, [8, 8, 8]),
    );
    const withoutScaling = drawn({ ...paperAugmentation, scaleIntensity: 0 });
    expect(withoutScaling.map(({ flip, quarterTurns, shift }) => ({ flip, quarterTurns, shift }))).toEqual(
      all.map(({ flip, quarterTurns, shift }) => ({ flip, quarterTurns, shift })),
    );
  });
});
