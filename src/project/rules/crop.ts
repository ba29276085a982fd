import { AXES, type Axis, mapAxes, type Triple } from '../../volume/index.js';

/**
 * A crop as large as a budget allows, that is as long in millimetres along every axis, but no longer than the
 * median scan: nnU-Net 2's rule, whose budget is the memory of its network and ours a number of voxels.
 * @param spacing mm [x, y, z] that scans are brought to
 * @param size voxels [x, y, z] of the median scan at that spacing
 * @param budget voxels
 * @param unit every side is a multiple of it
 * @param rounding how a side becomes one: up, as nnU-Net pads, or to the nearest, where units are large
 */
export function cropFor(
  spacing: Triple,
  size: Triple,
  budget: number,
  unit: number,
  rounding: 'up' | 'nearest',
): Triple {
  const perMm = mapAxes(spacing, (mm) => 1 / mm);
  const scale = (256 ** 3 / (perMm[0] * perMm[1] * perMm[2])) ** (1 / 3);
  const whole = rounding === 'up' ? Math.ceil : Math.round;
  let crop = mapAxes(
    perMm,
    (value, axis) => Math.max(1, whole(Math.min(Math.round(value * scale), size[axis]) / unit)) * unit,
  );
  while (crop[0] * crop[1] * crop[2] > budget) {
    const longest = longestAxis(crop, size, unit);
    if (longest === undefined) break;
    crop = mapAxes(crop, (side, axis) => (axis === longest ? side - unit : side));
  }
  return crop;
}

/** The axis along which a crop covers most of the scan and can be made shorter; undefined: none. */
function longestAxis(crop: Triple, size: Triple, unit: number): Axis | undefined {
  return AXES.filter((axis) => crop[axis] > unit).reduce<Axis | undefined>(
    (most, axis) => (most === undefined || crop[axis] / size[axis] > crop[most] / size[most] ? axis : most),
    undefined,
  );
}
