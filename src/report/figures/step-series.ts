import { itemAt } from '../../at.js';

/** Neighbouring steps as one point of a curve. */
export interface SeriesPoint {
  /** The middle of the steps that the point stands for. */
  readonly step: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Mean of the points around; at the very start the raw value. */
  readonly smooth: number;
}

/** One value of a run. */
export interface StepValue {
  readonly step: number;
  readonly value: number;
}

/** More points than this show no more in a panel, and would take long to draw. */
const mostPoints = 400;

/** Of each side, the share of the points that a smoothed value takes in. */
const smoothedShare = 0.02;

/**
 * Any number of values as at most 400 points of about equally many steps; values that are not finite are left
 * out.
 */
export function seriesPoints(values: readonly StepValue[]): SeriesPoint[] {
  const finite = values.filter(({ value }) => Number.isFinite(value));
  const count = Math.min(mostPoints, finite.length);
  const points = Array.from({ length: count }, (_, i) =>
    summary(
      finite.slice(Math.floor((i * finite.length) / count), Math.floor(((i + 1) * finite.length) / count)),
    ),
  );
  return withSmooth(points);
}

/** At most `most` of the items, evenly spread, the last among them. */
export function evenlySpread<T>(items: readonly T[], most: number): T[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, i) =>
    itemAt(items, Math.ceil(((i + 1) * items.length) / count) - 1),
  );
}

/** Mean and range of some steps; there is at least one. */
function summary(values: readonly StepValue[]) {
  let [sum, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { value } of values)
    [sum, low, high] = [sum + value, Math.min(low, value), Math.max(high, value)];
  return {
    step: (itemAt(values, 0).step + itemAt(values, values.length - 1).step) / 2,
    mean: sum / values.length,
    low,
    high,
  };
}

/**
 * Adds the moving mean. At the start its window shrinks evenly on both sides, so that a steep descent is not
 * flattened; at the end, where runs are flat, it only loses what is not there yet, so that the last noise
 * does not show as a bend.
 */
function withSmooth(points: readonly Omit<SeriesPoint, 'smooth'>[]): SeriesPoint[] {
  const reach = Math.round(smoothedShare * points.length);
  return points.map((point, i) => {
    const side = Math.min(reach, i);
    const window = points.slice(i - side, i + side + 1);
    return { ...point, smooth: window.reduce((sum, { mean }) => sum + mean, 0) / window.length };
  });
}
