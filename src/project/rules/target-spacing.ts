import { itemAt } from '../../at.js';
import { AXES, type Axis, mapAxes, percentile, type Triple } from '../../volume/index.js';

/** From this many times the others on, an axis counts as coarse, and as short. nnU-Net's factor. */
const anisotropy = 3;

export interface TargetSpacing {
  /** mm [x, y, z]. */
  readonly spacing: Triple;
  /** The axis whose spacing is not the median, since its slices are thick; absent: none. */
  readonly coarse?: Axis;
}

/**
 * The spacing that all scans are brought to: the median of each axis. Where one axis is more than three times
 * as coarse as the others and has less than a third of their voxels, its 10th percentile, so that the thin
 * slices of some scans are not thrown away for the thick ones of others, but never finer than the other axes
 * (nnU-Net 2, `determine_fullres_target_spacing`).
 * @param spacings mm of each scan
 * @param sizes voxels of each scan
 */
export function targetSpacing(spacings: readonly Triple[], sizes: readonly Triple[]): TargetSpacing {
  const along = (values: readonly Triple[], axis: Axis, percent: number): number =>
    percentile(
      values.map((value) => value[axis]).sort((a, b) => a - b),
      percent,
    );
  const spacing = mapAxes(AXES, (axis) => along(spacings, axis, 50));
  const size = mapAxes(AXES, (axis) => along(sizes, axis, 50));
  const worst = AXES.reduce<Axis>((most, axis) => (spacing[axis] > spacing[most] ? axis : most), 0);
  const others = AXES.filter((axis) => axis !== worst);
  const coarsest = Math.max(...others.map((axis) => spacing[axis]));
  const fewest = Math.min(...others.map((axis) => size[axis]));
  if (!(spacing[worst] > anisotropy * coarsest && size[worst] * anisotropy < fewest)) return { spacing };
  const fine = Math.max(coarsest, along(spacings, worst, 10));
  return { spacing: mapAxes(AXES, (axis) => (axis === worst ? fine : spacing[axis])), coarse: worst };
}

/** Median size on the grid of the target spacing, voxels: how large a scan is to the network. */
export function medianSize(spacings: readonly Triple[], sizes: readonly Triple[], target: Triple): Triple {
  return mapAxes(AXES, (axis) =>
    Math.round(
      percentile(
        sizes
          .map((size, i) => Math.max(1, Math.round((size[axis] * itemAt(spacings, i)[axis]) / target[axis])))
          .sort((a, b) => a - b),
        50,
      ),
    ),
  );
}
