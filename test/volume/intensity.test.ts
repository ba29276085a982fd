import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ctScaling,
  foregroundMoments,
  type IntensityScaling,
  percentile,
  percentileScaling,
  zScoreScaling,
} from '../../src/volume/index.js';

const scaled = (scaling: IntensityScaling, values: Float32Array): number[] => {
  const target = new Float32Array(values.length);
  scaling(values, target);
  return [...target];
};
const inParts = (values: Float32Array) =>
  function* () {
    for (let i = 0; i < values.length; i += 5) yield values.subarray(i, i + 5);
  };
const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -3000, max: 3000 });
const values = fc
  .array(fc.oneof(float, fc.constantFrom(0, 1, -1)), { minLength: 1, maxLength: 80 })
  .map((list) => Float32Array.from(list));

describe('scaling intensities', () => {
  it('finds the percentiles of a sorted array exactly, without sorting', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 50, noNaN: true }), (data, lower) => {
        const sorted = data.slice().sort();
        const [low, high] = [percentile(sorted, lower), percentile(sorted, 100 - lower)];
        const factor = high > low ? 1 / (high - low) : 0;
        const expected = [...data].map((value) =>
          Math.fround(Math.min(1, Math.max(0, (value - low) * factor))),
        );
        expect(scaled(percentileScaling(inParts(data), lower, 100 - lower), data).map((n) => n + 0)).toEqual(
          expected.map((n) => n + 0),
        );
      }),
    );
  });

  it('brings what is not zero to mean 0 and deviation 1, and leaves zeros', () => {
    fc.assert(
      fc.property(values, (data) => {
        const result = scaled(zScoreScaling(foregroundMoments(inParts(data))), data);
        const kept = [...data].filter((value) => value !== 0);
        const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
        const deviation =
          Math.sqrt(kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / kept.length) || 1;
        result.forEach((value, i) => {
          if (data[i] === 0) expect(value).toBe(0);
          else expect(value).toBeCloseTo((data[i]! - mean) / deviation, 4);
        });
      }),
    );
  });

  it('clips to the window and scales it to [0, 1]', () => {
    expect(scaled(ctScaling([-100, 300]), Float32Array.of(-1000, -100, 0, 300, 1000))).toEqual([
      0, 0, 0.25, 1, 1,
    ]);
    expect(() => ctScaling([5, 5])).toThrow(/windowHu \[5, 5\] is empty/);
  });
});
