import type { Volume } from '../volume/index.js';
import type { IntensityStatistics } from './prepared-index.js';

/** Percentiles come from at most this many voxels, evenly strided: the order of a sort bounds the time, not the accuracy that is printed. */
const percentileSamples = 200_000;

/**
 * Statistics of each channel over the voxels above `threshold` (null: all), in the volume's own unit.
 * Percentiles interpolate linearly. A channel without such voxels gives zeros.
 */
export function intensityStatistics({ data, channels }: Pick<Volume, 'data' | 'channels'>, threshold: number | null): IntensityStatistics[] {
  const voxels = data.length / channels;
  return Array.from({ length: channels }, (_, channel) => ofChannel(data.subarray(channel * voxels, (channel + 1) * voxels), threshold));
}

function ofChannel(data: ArrayLike<number>, threshold: number | null): IntensityStatistics {
  const above = threshold ?? Number.NEGATIVE_INFINITY;
  let count = 0;
  let mean = 0;
  let squares = 0; // Welford: sum of squared distances from the running mean
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (!(value > above)) continue;
    count++;
    const distance = value - mean;
    mean += distance / count;
    squares += distance * (value - mean);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0) return { min: 0, max: 0, mean: 0, std: 0, median: 0, p005: 0, p995: 0 };
  const sorted = sample(data, above, count).sort();
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

function sample(data: ArrayLike<number>, above: number, count: number): Float64Array {
  const stride = Math.ceil(count / percentileSamples);
  const values = new Float64Array(Math.ceil(count / stride));
  let rank = 0;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (!(value > above)) continue;
    if (rank % stride === 0) values[rank / stride] = value;
    rank++;
  }
  return values;
}

function interpolate(sorted: Float64Array, position: number): number {
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (position - low);
}
