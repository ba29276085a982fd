import { percentile } from '../../volume/index.js';
import type { CurvePanel } from './progress-panels.js';

/** The vertical axis of a panel. */
export interface ValueAxis {
  readonly type: 'linear' | 'log';
  readonly domain: readonly [number, number];
  /** Of a logarithmic axis; undefined where the ticks may be chosen by their count. */
  readonly ticks: readonly number[] | undefined;
}

/** Losses that span more than this, smoothed, are drawn on a logarithmic axis. */
const widestLinearRatio = 30;

/**
 * An axis for a curve and its held-out values. Rare spikes, beyond the 1st or 99th percentile of all points,
 * may leave it.
 */
export function lossAxis({ points, heldOut }: Pick<CurvePanel, 'points' | 'heldOut'>): ValueAxis {
  const shown = [...points.map(({ smooth }) => smooth), ...heldOut.map(({ value }) => value)];
  if (shown.length === 0) return linearAxis(0, 1);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const lowest = Math.min(
    low,
    percentileOf(
      points.map((point) => point.low),
      1,
    ) ?? low,
  );
  const highest = Math.max(
    high,
    percentileOf(
      points.map((point) => point.high),
      99,
    ) ?? high,
  );
  return lowest > 0 && high / low > widestLinearRatio
    ? logAxis(lowest / 1.1, highest * 1.1)
    : linearAxis(lowest, highest);
}

/** An axis from 0, as a learning rate wants it, which ends near 0. */
export function axisFromZero({ points }: Pick<CurvePanel, 'points'>): ValueAxis {
  return linearAxis(0, Math.max(0, ...points.map(({ high }) => high)) || 1);
}

/**
 * A twentieth of the range on either side, but not across zero; around a constant, a tenth of it, or of 0 up
 * to 1.
 */
function linearAxis(low: number, high: number): ValueAxis {
  const margin = (high > low ? (high - low) / 20 : Math.abs(high) / 10) || 1;
  const domain: [number, number] = [
    low >= 0 ? Math.max(0, low - margin) : low - margin,
    low < 0 && high <= 0 ? Math.min(0, high + margin) : high + margin,
  ];
  return { type: 'linear', domain, ticks: undefined };
}

/** Ticks at the powers of ten, and at twice and five times these where there are few. */
function logAxis(low: number, high: number): ValueAxis {
  const exponents = Array.from(
    { length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, i) => Math.floor(Math.log10(low)) + i,
  );
  const factors = exponents.length > 4 ? [1] : [1, 2, 5];
  const ticks = exponents
    .flatMap((exponent) => factors.map((factor) => factor * 10 ** exponent))
    .filter((tick) => tick >= low && tick <= high);
  return { type: 'log', domain: [low, high], ticks };
}

const percentileOf = (values: readonly number[], p: number): number | undefined =>
  values.length === 0
    ? undefined
    : percentile(
        [...values].sort((a, b) => a - b),
        p,
      );
