import { doubleAt, itemAt } from '../at.js';

/** Two methods over the same seeds and cases. */
export interface Comparison {
  /** Cases. */
  readonly n: number;
  /** Of first minus second; null without cases. */
  readonly meanDifference: number | null;
  /** 95% percentile bootstrap interval of the mean difference; null with fewer than two cases. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Two-sided p of the Wilcoxon signed-rank test; null without cases. */
  readonly p: number | null;
}

/** Whole numbers uniform in [0, limit). */
export interface WholeNumbers {
  integer(limit: number): number;
}

const RESAMPLES = 10_000;

/**
 * Compares two methods that were run with the same seeds and measured on the same cases. What is compared is
 * each case's mean over seeds; the interval is over seeds and cases.
 * @param first  values of one method, [seed][case]
 * @param second values of the other, in the same order
 * @param random draws the resamples of the interval
 */
export function comparePaired(
  first: readonly (readonly number[])[],
  second: readonly (readonly number[])[],
  random: WholeNumbers,
): Comparison {
  const differences = first.map((row, seed) =>
    row.map((value, i) => value - itemAt(itemAt(second, seed), i)),
  );
  const cases = differences[0] ?? [];
  const n = cases.length;
  if (n === 0) return { n, meanDifference: null, interval: null, p: null };
  const byCase = cases.map((_, i) => mean(differences.map((row) => itemAt(row, i))));
  return {
    n,
    meanDifference: mean(byCase),
    interval: n < 2 ? null : bootstrapInterval(differences, random),
    p: wilcoxon(byCase),
  };
}

/**
 * 95% percentile interval of the mean over 10,000 resamples that draw seeds and, apart from them, cases: both
 * are samples, and every case is measured with every seed (Owen 2007, "The pigeonhole bootstrap"). With one
 * seed it is the interval over cases.
 * @param values [seed][case]
 */
export function bootstrapInterval(
  values: readonly (readonly number[])[],
  random: WholeNumbers,
): [low: number, high: number] {
  const rows = values.map((row) => Float64Array.from(row));
  const cases = itemAt(values, 0).length;
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    const seeds = rows.map(() => itemAt(rows, random.integer(rows.length)));
    let sum = 0;
    for (let i = 0; i < cases; i++) {
      const drawn = random.integer(cases);
      for (const row of seeds) sum += doubleAt(row, drawn);
    }
    return sum / (cases * rows.length);
  }).sort();
  return [percentile(means, 0.025), percentile(means, 0.975)];
}

/**
 * Holm's correction (1979) of the p values of one family of tests: below a level where the test still is
 * significant at it when the chance of any false finding among all of them is held to that level.
 */
export function holm(ps: readonly number[]): number[] {
  const ascending = ps.map((p, i) => ({ p, i })).sort((a, b) => a.p - b.p);
  const corrected = new Array<number>(ps.length);
  let least = 0;
  ascending.forEach(({ p, i }, rank) => {
    least = Math.max(least, Math.min(1, (ps.length - rank) * p));
    corrected[i] = least;
  });
  return corrected;
}

/**
 * Pairs up to which the distribution of the rank sum is counted out: 2^50 assignments of signs still fit a
 * double exactly.
 */
const MOST_EXACT = 50;

/**
 * Two-sided p of the Wilcoxon signed-rank test (1945): differences of 0 are left out, ties share their mean
 * rank. Up to 50 differences the distribution is exact, ties included; beyond, normal with the variance
 * corrected for ties. 1 where every difference is 0.
 */
export function wilcoxon(differences: readonly number[]): number {
  const nonZero = differences.filter((difference) => difference !== 0);
  const doubled = doubledRanks(nonZero.map(Math.abs)); // whole numbers, also for ties
  const positive = doubled.reduce((sum, rank, i) => sum + (itemAt(nonZero, i) > 0 ? rank : 0), 0);
  if (nonZero.length === 0) return 1;
  return nonZero.length <= MOST_EXACT ? exact(doubled, positive) : normal(doubled, positive);
}

/** Twice the rank of every value, from 2; equal values share the mean of their ranks. */
function doubledRanks(values: readonly number[]): number[] {
  const ascending = values.map((value, i) => ({ value, i })).sort((a, b) => a.value - b.value);
  const ranks = new Array<number>(values.length);
  for (let begin = 0; begin < ascending.length; ) {
    const { value } = itemAt(ascending, begin);
    let end = begin + 1;
    while (end < ascending.length && itemAt(ascending, end).value === value) end++;
    for (const { i } of ascending.slice(begin, end)) ranks[i] = begin + 1 + end;
    begin = end;
  }
  return ranks;
}

/** Share of all assignments of signs whose rank sum is as far out as `positive`, on both sides. */
function exact(doubled: readonly number[], positive: number): number {
  const total = doubled.reduce((a, b) => a + b, 0);
  const ways = new Float64Array(total + 1); // ways[s]: assignments whose positive ranks add up to s
  ways[0] = 1;
  for (const rank of doubled) {
    for (let sum = total; sum >= rank; sum--) ways[sum] = doubleAt(ways, sum) + doubleAt(ways, sum - rank);
  }
  const below = ways.subarray(0, positive + 1).reduce((a, b) => a + b, 0);
  const above = ways.subarray(positive).reduce((a, b) => a + b, 0);
  return Math.min(1, (2 * Math.min(below, above)) / 2 ** doubled.length);
}

function normal(doubled: readonly number[], positive: number): number {
  const expected = doubled.reduce((a, b) => a + b, 0) / 2;
  const deviation = Math.sqrt(doubled.reduce((sum, rank) => sum + rank ** 2, 0) / 4); // each rank counts or not with even chance
  return 2 * upperTail(Math.abs(positive - expected) / deviation);
}

/** Chance of a standard normal above `z` >= 0. */
function upperTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let [term, sum] = [z, z]; // Marsaglia's series of the distribution function
    for (let i = 3; Math.abs(term) > 1e-17 * Math.abs(sum); i += 2) {
      term *= (z * z) / i;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = 0; // Laplace's continued fraction
  for (let k = 200; k >= 1; k--) fraction = k / (z + fraction);
  return density / (z + fraction);
}

/** Linear between the two nearest ranks. */
function percentile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const low = Math.floor(position);
  const value = doubleAt(sorted, low);
  return value + (position - low) * ((sorted[low + 1] ?? value) - value);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
