import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dice, hd95, type Mask } from '../../src/evaluation/index.js';
import type { Triple } from '../../src/volume/index.js';
import { maskOf, squaredDistanceMap, surfaceOf } from './references.js';

const side = fc.integer({ min: 1, max: 6 });
const sizes = fc.tuple(side, side, side);
const spacings = fc.tuple(
  ...[0, 1, 2].map(() => fc.double({ min: 0.3, max: 6, noNaN: true })),
) as fc.Arbitrary<[number, number, number]>;
const maskIn = (size: Triple): fc.Arbitrary<Mask> =>
  fc
    .array(fc.nat({ max: 2 }), {
      minLength: size[0] * size[1] * size[2],
      maxLength: size[0] * size[1] * size[2],
    })
    .map((values) => ({
      size,
      data: Uint8Array.from(values, (value) => Number(value === 0)),
    }));
const nonEmpty = (mask: Mask) => mask.data.includes(1);
const pairs = sizes.chain((size) => fc.tuple(maskIn(size), maskIn(size)));
const filledPairs = pairs.filter(([a, b]) => nonEmpty(a) && nonEmpty(b));

/** Reordered sums and roots in double precision. */
const close = (found: number, expected: number): void => {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(expected)));
};

/** Voxel of the result at [x, y, z] is the mask's at the place whose coordinate along axis `axes[i]` is coordinate i. */
function permuted(mask: Mask, axes: readonly number[]): Mask {
  const size = axes.map((axis) => mask.size[axis]!) as unknown as Triple;
  const strides = [1, mask.size[0], mask.size[0] * mask.size[1]];
  return maskOf(size, (...at) => mask.data[at.reduce((sum, n, i) => sum + n * strides[axes[i]!]!, 0)] === 1);
}

/** The mask in the middle of a volume with `margin` voxels more on each side, moved by `shift`. */
function placed(mask: Mask, margin: number, shift: Triple): Mask {
  const [nx, ny, nz] = mask.size;
  const size = mask.size.map((n) => n + 2 * margin) as unknown as Triple;
  return maskOf(size, (...at) => {
    const [x, y, z] = at.map((n, axis) => n - margin - shift[axis]!) as [number, number, number];
    const inside = x >= 0 && x < nx && y >= 0 && y < ny && z >= 0 && z < nz;
    return inside && mask.data[x + nx * (y + ny * z)] === 1;
  });
}

describe('Dice', () => {
  it('is symmetric where both masks hold something, and lies between 0 and 1', () => {
    fc.assert(
      fc.property(filledPairs, ([a, b]) => {
        const found = dice(a.data, b.data)!;
        expect(found).toBe(dice(b.data, a.data));
        expect(found).toBeGreaterThanOrEqual(0);
        expect(found).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is 1 for a mask with itself, 0 with its complement, and undefined when the reference is empty', () => {
    fc.assert(
      fc.property(sizes.chain(maskIn), (mask) => {
        const complement = mask.data.map((value) => 1 - value);
        const empty = new Uint8Array(mask.data.length);
        expect(dice(mask.data, mask.data)).toBe(nonEmpty(mask) ? 1 : null);
        expect(dice(complement, mask.data)).toBe(nonEmpty(mask) ? 0 : null);
        expect(dice(mask.data, empty)).toBeNull();
      }),
    );
  });
});

describe('HD95', () => {
  it('is 0 for a mask with itself and undefined when either is empty', () => {
    fc.assert(
      fc.property(sizes.chain(maskIn), spacings, (mask, spacing) => {
        const empty = { size: mask.size, data: new Uint8Array(mask.data.length) };
        expect(hd95(mask, mask, spacing)).toBe(nonEmpty(mask) ? 0 : null);
        expect(hd95(mask, empty, spacing)).toBeNull();
        expect(hd95(empty, mask, spacing)).toBeNull();
      }),
    );
  });

  it('is symmetric', () => {
    fc.assert(
      fc.property(filledPairs, spacings, ([a, b], spacing) =>
        close(hd95(a, b, spacing)!, hd95(b, a, spacing)!),
      ),
    );
  });

  it('stays the same when axes and spacing are permuted together', () => {
    const orders = fc.shuffledSubarray([0, 1, 2], { minLength: 3 });
    fc.assert(
      fc.property(filledPairs, spacings, orders, ([a, b], spacing, axes) => {
        const turned = axes.map((axis) => spacing[axis]!) as unknown as Triple;
        close(hd95(permuted(a, axes), permuted(b, axes), turned)!, hd95(a, b, spacing)!);
      }),
    );
  });

  it('grows with the spacing', () => {
    fc.assert(
      fc.property(
        filledPairs,
        spacings,
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        ([a, b], spacing, factor) => {
          const scaled = spacing.map((mm) => factor * mm) as unknown as Triple;
          close(hd95(a, b, scaled)!, factor * hd95(a, b, spacing)!);
        },
      ),
    );
  });

  it('does not depend on where in a volume the masks lie', () => {
    fc.assert(
      fc.property(
        filledPairs,
        spacings,
        fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -2, max: 2 }))),
        ([a, b], spacing, shift) => {
          const moved = shift as unknown as Triple;
          close(hd95(placed(a, 2, moved), placed(b, 2, moved), spacing)!, hd95(a, b, spacing)!);
        },
      ),
    );
  });

  it('is k times the spacing for a box moved k voxels along an axis, less than its side', () => {
    const axes = fc.nat({ max: 2 });
    fc.assert(
      fc.property(
        axes,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 5, max: 7 }),
        spacings,
        (axis, k, length, spacing) => {
          const along = (n: number): Triple =>
            [0, 1, 2].map((i) => (i === axis ? n : 0)) as unknown as Triple;
          const box = maskOf([length, length, length], () => true);
          // The face that leads is 1/6 of the surface and all k away from the other box, provided nothing across is nearer.
          const stretched = spacing.map((mm, i) =>
            i === axis ? mm : mm + k * spacing[axis]!,
          ) as unknown as Triple;
          close(hd95(placed(box, 4, along(k)), placed(box, 4, along(0)), stretched)!, k * spacing[axis]!);
        },
      ),
    );
  });

  it('equals the definition by brute force over all pairs of surface voxels', () => {
    fc.assert(
      fc.property(filledPairs, spacings, ([a, b], spacing) =>
        close(hd95(a, b, spacing)!, hd95ByBruteForce(a, b, spacing)),
      ),
    );
  });
});

describe('squared distances', () => {
  it('equal the least over all seeds', () => {
    const seeded = sizes.chain((size) => maskIn(size)).filter(nonEmpty);
    fc.assert(
      fc.property(seeded, spacings, (mask, spacing) => {
        const seeds = [...mask.data.keys()].filter((i) => mask.data[i] === 1);
        squaredDistanceMap(mask.size, seeds, spacing).forEach((found, i) => {
          close(found, Math.min(...seeds.map((seed) => squaredDistance(mask.size, i, seed, spacing))));
        });
      }),
    );
  });
});

describe('the surface', () => {
  it('is what has one of six neighbours outside, the world beyond the array counting as outside', () => {
    fc.assert(
      fc.property(sizes.chain(maskIn), (mask) => {
        const isInside = (at: readonly number[]) =>
          at.every((n, axis) => n >= 0 && n < mask.size[axis]!) && mask.data[indexOf(mask.size, at)] === 1;
        const expected = [...mask.data.keys()].filter((i) => {
          const at = placeOf(mask.size, i);
          const neighbours = [0, 1, 2].flatMap((axis) =>
            [-1, 1].map((step) => at.map((n, other) => (other === axis ? n + step : n))),
          );
          return mask.data[i] === 1 && !neighbours.every(isInside);
        });
        expect(surfaceOf(mask)).toEqual(expected);
      }),
    );
  });

  it('leaves out the one inner voxel of a box of three', () => {
    const surface = surfaceOf(maskOf([5, 5, 5], (...at) => at.every((n) => n >= 1 && n <= 3)));
    expect(surface).toHaveLength(26);
    expect(surface).not.toContain(2 + 5 * (2 + 5 * 2));
  });
});

function hd95ByBruteForce(a: Mask, b: Mask, spacing: Triple): number {
  const surfaces = [surfaceOf(a), surfaceOf(b)] as const;
  const directed = (from: readonly number[], to: readonly number[]) => {
    const distances = from
      .map((i) => Math.sqrt(Math.min(...to.map((j) => squaredDistance(a.size, i, j, spacing)))))
      .sort((p, q) => p - q);
    const position = 0.95 * (distances.length - 1);
    const [low, high] = [distances[Math.floor(position)]!, distances[Math.ceil(position)]!];
    return low + (position - Math.floor(position)) * (high - low);
  };
  return Math.max(directed(surfaces[0], surfaces[1]), directed(surfaces[1], surfaces[0]));
}

const placeOf = ([nx, ny]: Triple, i: number): Triple => [
  i % nx,
  Math.floor(i / nx) % ny,
  Math.floor(i / (nx * ny)),
];

const indexOf = ([nx, ny]: Triple, [x, y, z]: readonly number[]): number => x! + nx * (y! + ny * z!);

function squaredDistance(size: Triple, i: number, j: number, spacing: Triple): number {
  const [a, b] = [placeOf(size, i), placeOf(size, j)];
  return a.reduce((sum, n, axis) => sum + ((n - b[axis]!) * spacing[axis]!) ** 2, 0);
}
