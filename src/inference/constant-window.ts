import { mapAxes, type Triple, type Volume, voxelCount } from '../volume/index.js';

/** Of the range of a channel over the whole scan: one value, resampled and scaled, differs by less. */
const relativeTolerance = 1e-6;

/**
 * Tells whether a window has one value in every channel, as air and padding have. An instance norm makes
 * structure of the rounding in such a window, and a network labels that.
 * @returns takes the first voxel of a window, which may lie outside of the volume, where all is 0
 */
export function isConstantWindow(volume: Volume, window: Triple): (start: Triple) => boolean {
  const { size, channels, data } = volume;
  const voxels = voxelCount(volume);
  const planes = Array.from({ length: channels }, (_, channel) => {
    const values = data.subarray(channel * voxels, (channel + 1) * voxels);
    const { low, high } = rangeOf(values);
    return { values, tolerance: relativeTolerance * (high - low) };
  });
  return (start) => {
    const from = mapAxes(start, (n) => Math.max(0, n));
    const to = mapAxes(start, (n, axis) => Math.min(size[axis], n + window[axis]));
    const padded = start.some((n, axis) => n < 0 || n + window[axis]! > size[axis]!);
    return planes.every(({ values, tolerance }) =>
      isConstantBox(values, size, from, to, padded ? 0 : undefined, tolerance),
    );
  };
}

/** @param beside a value that is in the window beside those of the box */
function isConstantBox(
  values: Volume['data'],
  [nx, ny]: Triple,
  from: Triple,
  to: Triple,
  beside: number | undefined,
  tolerance: number,
): boolean {
  let [low, high] = [beside ?? Number.POSITIVE_INFINITY, beside ?? Number.NEGATIVE_INFINITY];
  for (let z = from[2]; z < to[2]; z++) {
    for (let y = from[1]; y < to[1]; y++) {
      const row = nx * (y + ny * z);
      for (let i = row + from[0]; i < row + to[0]; i++) {
        const value = values[i]!;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      if (high - low > tolerance) return false;
    }
  }
  return true;
}

function rangeOf(values: Volume['data']): { low: number; high: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}
