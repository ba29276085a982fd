import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { squaredDistances } from '../../src/evaluation/index.js';
import { normalisedSurfaceDice } from '../../src/evaluation/surface-distances.js';
import type { Triple } from '../../src/volume/index.js';
import { squaredDistanceMap } from './references.js';

describe('squared distances to a few voxels', () => {
  it('equal those of the whole box, which are computed without bounds', () => {
    const indices = fc.uniqueArray(fc.nat({ max: 23 * 19 * 17 - 1 }), { minLength: 1, maxLength: 40 });
    const spacings = fc.tuple(
      ...[0, 1, 2].map(() => fc.double({ min: 0.2, max: 7, noNaN: true })),
    ) as fc.Arbitrary<[number, number, number]>;
    const rising = (values: readonly number[]) => Int32Array.from(values).sort();
    fc.assert(
      fc.property(indices, indices, spacings, (seeds, at, spacing) => {
        const size: Triple = [23, 19, 17];
        const all = squaredDistanceMap(size, [...rising(seeds)], spacing);
        const few = squaredDistances(size, rising(seeds), rising(at), spacing);
        rising(at).forEach((index, k) => {
          expect(Math.abs(few[k]! - all[index]!)).toBeLessThanOrEqual(1e-12 * all[index]!);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('are those to the one seed however far away it is', () => {
    const found = squaredDistances(
      [300, 2, 200],
      Int32Array.of(0),
      Int32Array.of(299 + 300 * (1 + 2 * 199)),
      [1, 3, 2],
    );
    expect(found).toEqual(Float64Array.of(299 ** 2 + 3 ** 2 + 398 ** 2));
  });
});

describe('the surface Dice at a tolerance', () => {
  it('counts what lies at the tolerance, also when the spacing was rounded to float32 on its way through a header', () => {
    const distances = {
      toReference: Float64Array.of(0, Math.fround(1.2), 2),
      toPrediction: Float64Array.of(Math.fround(0.6)),
    };
    expect(Math.fround(1.2)).toBeGreaterThan(1.2);
    expect(normalisedSurfaceDice(distances, 1.2)).toBe(3 / 4);
    expect(normalisedSurfaceDice(distances, 0.6)).toBe(2 / 4);
  });
});
