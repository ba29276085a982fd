import { doubleAt } from '../../at.js';
import type { BackgroundRange } from '../../volume/index.js';
import type { IntensityStatistics } from '../index/prepared-index.js';

/**
 * Percentiles come from at most this many voxels, evenly strided: the
 * order of a sort bounds the time, not the accuracy that is printed.
 */
const percentileSamples = 200_000;

/** Takes the values of one channel in parts, in order, and then tells their statistics. */
export interface IntensityCounter {
  add(values: ArrayLike<number>): void;
  statistics(): IntensityStatistics;
}

/**
 * Statistics of one channel over its voxels that are not background, in the volume's own unit. Percentiles
 * interpolate linearly. A channel without such voxels gives zeros.
 * @param voxels how many are not background
 */
export function intensityCounter(voxels: number, background: BackgroundRange): IntensityCounter {
  const stride = Math.max(1, Math.ceil(voxels / percentileSamples));
  const sample = new Float64Array(Math.ceil(voxels / stride));
  let moments: Moments = {
    count: 0,
    mean: 0,
    squares: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
  };
  return {
    add: (values) => {
      moments = addForeground(moments, values, background, sample, stride);
    },
    statistics: () => {
      const { count, mean, squares, min, max } = moments;
      if (count === 0) return { min: 0, max: 0, mean: 0, std: 0, median: 0, p005: 0, p995: 0 };
      sample.sort();
      const percentile = (percent: number) => interpolate(sample, (percent / 100) * (sample.length - 1));
      return {
        min,
        max,
        mean,
        std: Math.sqrt(squares / count),
        median: percentile(50),
        p005: percentile(0.5),
        p995: percentile(99.5),
      };
    },
  };
}

/** Welford: the mean so far, and the sum of squared distances from it. */
interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Also puts every `stride`-th value into `sample`. A function
 * of its own, and no closure: V8 forgets those with every case.
 */
function addForeground(
  so: Moments,
  values: ArrayLike<number>,
  background: BackgroundRange,
  sample: Float64Array,
  stride: number,
): Moments {
  let { count, mean, squares, min, max } = so;
  let filled = Math.ceil(count / stride);
  let next = filled * stride; // the voxel that is sampled next
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= background.low && value <= background.high) continue;
    if (count === next) {
      sample[filled++] = value;
      next += stride;
    }
    count++;
    const distance = value - mean;
    mean += distance / count;
    squares += distance * (value - mean);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { count, mean, squares, min, max };
}

function interpolate(sorted: Float64Array, position: number): number {
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  const below = doubleAt(sorted, low);
  return below + (doubleAt(sorted, high) - below) * (position - low);
}
