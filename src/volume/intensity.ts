import { UsageError } from '../errors.js';
import { type Volume, voxelCount } from './volume.js';

/** Clips to a window in HU and scales it to [0, 1]. Throws UsageError when the window is empty. */
export function scaleCtIntensity(volume: Volume, [low, high]: readonly [number, number]): Volume {
  if (!(high > low)) throw new UsageError(`windowHu [${low}, ${high}] is empty: its second number must be the larger`, { field: 'windowHu' });
  const scale = 1 / (high - low);
  const data = Float32Array.from(volume.data, (value) => Math.min(1, Math.max(0, (value - low) * scale)));
  return { ...volume, data };
}

/** Each channel to mean 0 and standard deviation 1 over its non-zero voxels; zeros, which are background in MR, stay 0. */
export function zScoreNonZero(volume: Volume): Volume {
  const data = Float32Array.from(volume.data);
  for (const channel of channelsOf(volume, data)) {
    let [count, sum] = [0, 0];
    for (const value of channel) if (value !== 0) [count, sum] = [count + 1, sum + value];
    if (count === 0) continue;
    const mean = sum / count;
    let squares = 0;
    for (const value of channel) if (value !== 0) squares += (value - mean) ** 2;
    const deviation = Math.sqrt(squares / count) || 1;
    for (let i = 0; i < channel.length; i++) if (channel[i] !== 0) channel[i] = (channel[i]! - mean) / deviation;
  }
  return { ...volume, data };
}

/** Each channel scaled so that its `lower` and `upper` percentiles (of all voxels, linear interpolation) become 0 and 1, and clipped. */
export function percentileScale(volume: Volume, lower: number, upper: number): Volume {
  const data = Float32Array.from(volume.data);
  for (const channel of channelsOf(volume, data)) {
    const sorted = channel.slice().sort();
    const [low, high] = [percentile(sorted, lower), percentile(sorted, upper)];
    const scale = high > low ? 1 / (high - low) : 0;
    for (let i = 0; i < channel.length; i++) channel[i] = Math.min(1, Math.max(0, (channel[i]! - low) * scale));
  }
  return { ...volume, data };
}

/** The `p`-th percentile (0 to 100) of ascending values, linear between neighbours as NumPy's default. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  const position = ((sorted.length - 1) * p) / 100;
  const low = Math.floor(position);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!);
}

function channelsOf(volume: Volume, data: Float32Array): Float32Array[] {
  const count = voxelCount(volume);
  return Array.from({ length: volume.channels }, (_, c) => data.subarray(c * count, (c + 1) * count));
}
