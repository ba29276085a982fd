import { percentile } from '../../volume/index.js';

/** The paper's window for pre-training on CT, where no label says what matters (4.3). */
export const wholeWindow: readonly [number, number] = [-1000, 1000];

/**
 * The window of CT in HU: the 0.5th to 99.5th percentile of the voxels within labels, all scans and classes
 * together, as nnU-Net clips them; whole HU, outwards.
 * @param samples intensities within labels, of each scan
 */
export function windowOf(samples: readonly (readonly number[])[]): readonly [number, number] {
  const sorted = Float64Array.from(samples.flat()).sort();
  if (sorted.length === 0) return wholeWindow;
  const [low, high] = [Math.floor(percentile(sorted, 0.5)), Math.ceil(percentile(sorted, 99.5))];
  return high > low ? [low, high] : [low, low + 1];
}
