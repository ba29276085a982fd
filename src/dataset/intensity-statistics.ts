import type { ChannelParts } from '../volume/index.js';
import type { IntensityStatistics } from './prepared-index.js';

/** Percentiles come from at most this many voxels, evenly strided: the order of a sort bounds the time, not the accuracy that is printed. */
const percentileSamples = 200_000;

/**
 * Statistics of one channel over its voxels above `threshold` (null: all), in the volume's own unit.
 * Percentiles interpolate linearly. A channel without such voxels gives zeros.
 */
export function intensityStatistics(parts: ChannelParts, threshold: number | null): IntensityStatistics {
  const above = threshold ?? Number.NEGATIVE_INFINITY;
  let count = 0;
  let mean = 0;
  let squares = 0; // Welford: sum of squared distances from the running mean
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i]!;
      if (!(value > above)) continue;
      count++;
      const distance = value - mean;
      mean += distance / count;
      squares += distance * (value - mean);
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (count === 0) return { min: 0, max: 0, mean: 0, std: 0, median: 0, p005: 0, p995: 0 };
  const sorted = sample(parts, above, count).sort();
  const percentile = (percent: number) => interpolate(sorted, (percent / 100) * (sorted.length - 1));
  return {
    min,
    max,
    mean,
    std: Math.sqrt(squares / count),
    median: percentile(50),
    p005: percentile(0.5),
    p995: percentile(99.5),
  };
}

function sample(parts: ChannelParts, above: number, count: number): Float64Array {
  const stride = Math.ceil(count / percentileSamples);
  const values = new Float64Array(Math.ceil(count / stride));
  let rank = 0;
  let next = 0; // the rank that is sampled next
  let filled = 0;
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i]!;
      if (!(value > above)) continue;
      if (rank++ !== next) continue;
      values[filled++] = value;
      next += stride;
    }
  }
  return values;
}

function interpolate(sorted: Float64Array, position: number): number {
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (position - low);
}
