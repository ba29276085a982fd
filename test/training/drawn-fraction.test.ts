import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawnFraction } from '../../src/training/drawn-fraction.js';

const ids = (count: number) => Array.from({ length: count }, (_, i) => `ct/${i}`);
const named = (count: number) => ids(count).map((id) => ({ id, dataset: 'ct' }));
const fractions = fc.double({ min: 0.01, max: 1, noNaN: true });

describe('a share of the training cases', () => {
  it('lies within every larger share of the same seed, in the order of the cases', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fractions,
        fractions,
        fc.nat(1000),
        (count, a, b, seed) => {
          const cases = named(count);
          const [small, large] = [Math.min(a, b), Math.max(a, b)].map((fraction) =>
            drawnFraction(cases, fraction, seed),
          ) as [string[], string[]];
          expect(small.every((id) => large.includes(id))).toBe(true);
          for (const drawn of [small, large])
            expect(drawn).toEqual(cases.map(({ id }) => id).filter((id) => drawn.includes(id)));
        },
      ),
    );
  });

  it('has the rounded number of cases, at least one, and all of them at 1', () => {
    const counts = [0.001, 0.1, 0.2, 0.25, 0.5, 1].map(
      (fraction) => drawnFraction(named(24), fraction, 0).length,
    );
    expect(counts).toEqual([1, 2, 5, 6, 12, 24]);
    expect(drawnFraction(named(24), 1, 9)).toEqual(ids(24));
  });

  it('is another one for another seed, and draws every case alike', () => {
    const draws = 2000;
    const counts = new Map(ids(5).map((id) => [id, 0]));
    for (let seed = 0; seed < draws; seed++)
      for (const id of drawnFraction(named(5), 0.4, seed)) counts.set(id, counts.get(id)! + 1);
    const tolerance = 4 * Math.sqrt((0.4 * 0.6) / draws); // 4 standard deviations; the seeds are fixed
    for (const count of counts.values()) expect(Math.abs(count / draws - 0.4)).toBeLessThan(tolerance);
  });
});
