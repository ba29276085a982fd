/** How values between voxels are found. */
export type Interpolation = 'linear' | 'nearest';

/** For each output of one axis: `taps` input indices and their weights, laid one after another. */
export interface AxisWeights {
  readonly taps: number;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
}

/**
 * Weights for sampling an axis of `length` voxels at `positions` (voxel units); beyond the ends the last
 * voxel counts on.
 */
export function axisWeights(length: number, positions: Float64Array, mode: Interpolation): AxisWeights {
  const taps = mode === 'nearest' ? 1 : 2;
  const indices = new Int32Array(positions.length * taps);
  const weights = new Float32Array(positions.length * taps);
  positions.forEach((position, i) => {
    const at = Math.min(length - 1, Math.max(0, position));
    if (mode === 'nearest') {
      indices[i] = Math.min(length - 1, Math.floor(at + 0.5));
      weights[i] = 1;
    } else {
      const low = Math.min(length - 1, Math.floor(at));
      // what has no weight is not looked at, as it may be no number
      indices.set([low, at === low ? low : Math.min(length - 1, low + 1)], 2 * i);
      weights.set([1 - (at - low), at - low], 2 * i);
    }
  });
  return { taps, indices, weights };
}
