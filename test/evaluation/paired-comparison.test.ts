import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval, comparePaired, holm, wilcoxon } from '../../src/evaluation/index.js';
import { randomStream } from '../../src/random/streams.js';
import { rankMarks } from '../../src/report/index.js';

const { cases, holm: families } = JSON.parse(readFileSync('test/parity/statistics/paired.json', 'utf8')) as {
  cases: { name: string; differences: number[]; p: number; interval: [number, number] }[];
  holm: { p: number[]; corrected: number[] }[];
};
const random = () => randomStream(0, 'bootstrap');

describe("the Wilcoxon signed-rank test, against SciPy's", () => {
  it.each(cases)('gives its p for $name', ({ differences, p }) => {
    expect(wilcoxon(differences) / p).toBeCloseTo(1, 9);
  });

  it('is the same with the methods exchanged, and counts out a hand-made case', () => {
    expect(wilcoxon([3, 1, 2])).toBe(2 / 8); // all positive: one of eight assignments of signs, on two sides
    expect(wilcoxon([3, -1, 2])).toBe(4 / 8); // the negative rank 1: two of eight
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 60 }), (differences) => {
        const p = wilcoxon(differences);
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(1);
        expect(wilcoxon(differences.map((difference) => -difference))).toBeCloseTo(p, 12);
      }),
    );
  });
});

describe('the bootstrap interval', () => {
  it.each(cases)(
    "is SciPy's for $name, within the noise of 10,000 resamples",
    ({ differences, interval }) => {
      const [low, high] = bootstrapInterval([differences], random());
      const width = interval[1] - interval[0];
      expect(Math.abs(low - interval[0])).toBeLessThan(0.05 * width);
      expect(Math.abs(high - interval[1])).toBeLessThan(0.05 * width);
    },
  );

  it('draws seeds as well as cases: of cases that are all alike, the means of the seeds that were drawn', () => {
    // Of two seeds, both are drawn with a chance of a half, each of them alone with a quarter: the quartiles of the means lie apart.
    const [low, high] = bootstrapInterval(
      [
        [1, 1, 1, 1],
        [3, 3, 3, 3],
      ],
      random(),
    );
    expect([low, high]).toEqual([1, 3]);
    // Three seeds of 0, 1 and 5: all alike with 1 of 27, above 2.5 % on each side.
    expect(
      bootstrapInterval(
        [
          [0, 0],
          [1, 1],
          [5, 5],
        ],
        random(),
      ),
    ).toEqual([0, 5]); // prettier-ignore
  });

  it('is as wide as the formula says for many seeds and cases that vary apart', () => {
    // Value = seed's effect + case's effect: the mean has the variance of both means, each less a share of 1/n by resampling.
    const stream = randomStream(4, 'phantom');
    const effects = (n: number, size: number) => Array.from({ length: n }, () => size * stream.normal());
    const [seeds, cases] = [effects(30, 1), effects(40, 2)];
    const [low, high] = bootstrapInterval(
      seeds.map((seed) => cases.map((one) => seed + one)),
      random(),
    );
    const squares = (values: number[]) => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length ** 2;
    };
    const deviation = Math.sqrt(squares(seeds) + squares(cases));
    expect((high - low) / (2 * 1.96 * deviation)).toBeCloseTo(1, 1);
  });

  it('is the same every time', () => {
    expect(bootstrapInterval([[1, 2, 3, 5]], random())).toEqual(bootstrapInterval([[1, 2, 3, 5]], random()));
  });
});

describe("Holm's correction, against statsmodels'", () => {
  it.each(families)('of $p', ({ p, corrected }) => {
    holm(p).forEach((value, i) => {
      expect(value).toBeCloseTo(corrected[i]!, 12);
    });
  });
});

describe('a comparison of two methods over cases', () => {
  it('has the mean difference of first minus second, and says what one pair or none cannot give', () => {
    const { n, meanDifference, interval, p } = comparePaired([[0.9, 0.8, 0.7]], [[0.8, 0.6, 0.4]], random());
    expect([n, p]).toEqual([3, 0.25]);
    expect(meanDifference).toBeCloseTo(0.2, 12);
    expect(interval![0]).toBeGreaterThanOrEqual(0.1 - 1e-12);
    expect(interval![1]).toBeLessThanOrEqual(0.3 + 1e-12);
    expect(comparePaired([[1]], [[0]], random())).toEqual({ n: 1, meanDifference: 1, interval: null, p: 1 });
    expect(comparePaired([[]], [[]], random())).toEqual({
      n: 0,
      meanDifference: null,
      interval: null,
      p: null,
    });
    expect(comparePaired([[1, 2]], [[1, 2]], random())).toMatchObject({
      meanDifference: 0,
      interval: [0, 0],
      p: 1,
    });
  });
});

describe('the marks of the best three', () => {
  it('go to the highest or lowest values; equal ones share, missing ones have none', () => {
    expect(rankMarks(['80.00', '85.00', '-', '84.00', '83.00', '85.00'], 'higher')).toEqual([
      '',
      '¹',
      '',
      '³',
      '',
      '¹',
    ]);
    expect(rankMarks(['8', '2', '4', '3'], 'lower')).toEqual(['', '¹', '³', '²']);
    expect(rankMarks(['80'], 'higher')).toEqual(['']);
  });

  it('leave out as many marks as share the one before', () => {
    expect(rankMarks(['3', '3', '3', '2', '1'], 'higher')).toEqual(['¹', '¹', '¹', '', '']);
    expect(rankMarks(['4', '3', '3', '2'], 'higher')).toEqual(['¹', '²', '²', '']);
  });
});
