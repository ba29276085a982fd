import { DataError } from '../errors.js';
import { closestToRas, uprightGrid } from './reorient.js';
import { gridAtSpacing, sizeAtSpacing } from './resample.js';
import type { Triple } from './triple.js';
import { type Grid, largestVoxelCount, voxelCount } from './volume.js';

/**
 * Resampling may make this many voxels of one. Slices of 10 mm become some 14 of 0.7 mm; a thousand of each
 * voxel come of a spacing that is wrong.
 */
const mostGrowth = 1000;

/** So many voxels are always allowed: those of a small scan that is looked at closely. */
const alwaysPossible = 2 ** 22;

/**
 * The grid that a scan is brought to: RAS, unless its axes stay as they are stored, at a spacing.
 * @param spacing mm; null: the scan's own
 * @param file where the scan comes from, for errors
 * @throws DataError when it would have more voxels than a scan of that size can mean
 */
export function possibleGrid(
  source: Grid,
  spacing: Triple | null,
  file: string,
  orientation: 'ras' | 'as-stored' = 'ras',
): Grid {
  const upright = orientation === 'ras' ? uprightGrid(source, closestToRas(source)) : source;
  if (spacing === null) return upright;
  const size = sizeAtSpacing(upright, spacing);
  const voxels = voxelCount({ size });
  const most = Math.min(largestVoxelCount, Math.max(alwaysPossible, mostGrowth * voxelCount(upright)));
  if (voxels <= most) return gridAtSpacing(upright, spacing);
  const given = (grid: Pick<Grid, 'size' | 'spacing'>) =>
    `${grid.size.join('x')} voxels of ${grid.spacing.map((mm) => Number(mm.toPrecision(4))).join(' x ')} mm`;
  throw new DataError(
    `${file}: ${given(upright)} would become ${given({ size, spacing })}, more than the ${most} that are possible: ` +
      'correct the spacing in its header, or the spacing that it is resampled to',
    { file, field: 'spacing', found: upright.spacing, expected: spacing },
  );
}
