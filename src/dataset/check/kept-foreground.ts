import { foregroundBox, type Grid, sliceAt, type Volume } from '../../volume/index.js';
import { backgroundsOf, type Preprocessing } from '../prepare/preprocessing.js';

/**
 * Whether `prepare` finds foreground in a scan. It looks on the grid that it resamples to: something small may lie between
 * the voxels of a coarse one. The slices of that grid are looked at from the middle on, which most scans end at once.
 * @param grid what the scan is resampled to
 */
export function keepsForeground(
  volume: Volume,
  grid: Grid,
  { foregroundThreshold, spacing }: Pick<Preprocessing, 'foregroundThreshold' | 'spacing'>,
): boolean {
  const backgrounds = backgroundsOf(volume, foregroundThreshold);
  if (!foregroundBox(volume, backgrounds)) return false;
  if (spacing === null) return true;
  return fromTheMiddle(grid.size[2]).some(
    (z) => foregroundBox(sliceAt(volume, grid, z), backgrounds) !== undefined,
  );
}

/** 0 to before `count`, those in the middle first. */
function fromTheMiddle(count: number): number[] {
  const middle = (count - 1) / 2;
  return Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => Math.abs(a - middle) - Math.abs(b - middle),
  );
}
