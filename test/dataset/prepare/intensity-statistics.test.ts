import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intensityCounter } from '../../../src/dataset/prepare/intensity-statistics.js';
import { backgroundUpTo, noBackground } from '../../../src/volume/index.js';

/** In parts of seven, as a scan that is read in slabs is. */
function statisticsOf(data: Float32Array, threshold: number | null) {
  const counter = intensityCounter(
    threshold === null ? data.length : data.filter((value) => value > threshold).length,
    threshold === null ? noBackground : backgroundUpTo(threshold),
  );
  for (let i = 0; i < data.length; i += 7) counter.add(data.subarray(i, i + 7));
  return counter.statistics();
}

describe('intensity statistics', () => {
  it('are those of the voxels above the threshold, computed by hand', () => {
    const data = Float32Array.of(-1000, 1, 2, 3, 4, -1000, 10);
    expect(statisticsOf(data, -1000)).toEqual({
      min: 1,
      max: 10,
      mean: 4,
      std: Math.sqrt((9 + 4 + 1 + 0 + 36) / 5),
      median: 3,
      p005: 1 + 0.02,
      p995: 4 + 0.98 * 6,
    });
    expect(statisticsOf(data, 3)).toMatchObject({ min: 4, max: 10, mean: 7, std: 3, median: 7 });
    expect(statisticsOf(data, null)).toMatchObject({
      min: -1000,
      max: 10,
      mean: expect.closeTo(-1980 / 7, 9),
      median: 2,
    });
  });

  it('are zeros for a channel without such voxels', () => {
    const zeros = { min: 0, max: 0, mean: 0, std: 0, median: 0, p005: 0, p995: 0 };
    expect(statisticsOf(Float32Array.of(-1, -2), 0)).toEqual(zeros);
  });

  it('agree with the plain formulas, also far from zero', () => {
    const values = fc.array(fc.double({ min: -500, max: 500, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, fc.constantFrom(0, 1e4), (list, offset) => {
        const data = Float32Array.from(list, (value) => value + offset);
        const found = statisticsOf(data, null);
        const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
        const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
        expect(Math.abs(found.mean - mean)).toBeLessThan(1e-6); // sums of doubles: rounding alone
        expect(Math.abs(found.std - Math.sqrt(variance))).toBeLessThan(1e-6);
        expect([found.min === Math.min(...data), found.max === Math.max(...data)]).toEqual([true, true]); // 0 and -0 are one
        const sorted = [...data].sort((a, b) => a - b);
        const middle = (sorted.length - 1) / 2;
        expect(found.median).toBeCloseTo((sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2, 6);
      }),
    );
  });

  it('take percentiles of large volumes from evenly strided voxels, close to those of all', () => {
    const data = Float32Array.from({ length: 450_000 }, (_, i) => (i * 7919) % 450_000); // 0 to 449,999 in another order
    const found = statisticsOf(data, null);
    expect([found.min, found.max]).toEqual([0, 449_999]);
    expect(found.mean).toBeCloseTo(224_999.5, 6);
    for (const [percentile, share] of [
      [found.p005, 0.005],
      [found.median, 0.5],
      [found.p995, 0.995],
    ] as const) {
      expect(Math.abs(percentile / 449_999 - share)).toBeLessThan(1e-3); // a third of the voxels is sorted
    }
  });
});
