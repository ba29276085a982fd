import {
  type Affine,
  affineRows,
  composeAffines,
  invertAffine,
  respaceAffine,
  shiftAffine,
  spacingOf,
} from './affine.js';
import { type AxisWeights, axisWeights, type Interpolation } from './interpolation.js';
import { resampleAxis } from './resample-axis.js';
import { samplePoints, samplePointsOfSlab, type TakeVoxel } from './sample-points.js';
import { isWithin, type SlicesOfVolume } from './slab.js';
import { AXES, type Axis, mapAxes, mapSize, type Triple } from './triple.js';
import type { Grid, Volume, VoxelArray } from './volume.js';

/**
 * The volume at another spacing: same directions, same centre of the first voxel, `round((n - 1) * old / new
 * + 1)` voxels an axis, as MONAI's `Spacing` with `align_corners=False` and border padding. Linear gives
 * float32; nearest keeps the type.
 * @param spacing mm along the volume's own axes
 */
export function resampleToSpacing(volume: Volume, spacing: Triple, mode: Interpolation): Volume {
  return resampleToGrid(volume, gridAtSpacing(volume, spacing), mode);
}

/** The grid that `resampleToSpacing` brings a volume to. */
export function gridAtSpacing(grid: Grid, spacing: Triple): Grid {
  const affine = respaceAffine(grid.affine, spacing);
  return { size: sizeAtSpacing(grid, spacing), spacing: spacingOf(affine), affine };
}

/** Voxels of that grid along each axis. */
export function sizeAtSpacing(grid: Pick<Grid, 'size' | 'spacing'>, spacing: Triple): Triple {
  const ratio = mapAxes(spacing, (mm, axis) => mm / grid.spacing[axis]);
  return mapSize(grid.size, (n, axis) => roundHalfEven((n - 1) / ratio[axis] + 1));
}

/**
 * The volume's values at the voxels of another grid. Outside the volume its border goes on.
 * Axis-aligned pairs of grids are resampled one axis at a time, others point by point.
 */
export function resampleToGrid(
  volume: Volume,
  grid: Pick<Grid, 'size' | 'affine'>,
  mode: Interpolation,
): Volume {
  const toSource = composeAffines(invertAffine(volume.affine), grid.affine);
  const described = {
    size: grid.size,
    spacing: spacingOf(grid.affine),
    affine: grid.affine,
    channels: volume.channels,
  };
  if (isSameGrid(toSource, volume.size, grid.size)) return { ...described, data: volume.data };
  return {
    ...described,
    data: isDiagonal(toSource)
      ? resampleAxes(volume, grid.size, toSource, mode)
      : samplePoints(volume, grid.size, toSource, mode),
  };
}

/** The volume's values, interpolated, at the voxels of one slice of another grid; whatever way its axes run. */
export function sliceAt(volume: Volume, grid: Pick<Grid, 'size' | 'affine'>, z: number): Volume {
  const affine = shiftAffine(grid.affine, [0, 0, z]);
  const size: Triple = [grid.size[0], grid.size[1], 1];
  const toSource = composeAffines(invertAffine(volume.affine), affine);
  const data = samplePoints(volume, size, toSource, 'linear');
  return { size, affine, spacing: spacingOf(affine), channels: volume.channels, data };
}

/**
 * Takes the values of a channel at all voxels of the slices from `first` on of the new grid; of every channel
 * in turn for the same slices.
 */
export type TakeSlices = (channel: number, first: number, values: Float32Array) => void;

/**
 * What `resampleToGrid` with linear interpolation gives, to the bit, from a volume that comes in slabs: each
 * but the first begins with the last slice of the one before, and each voxel of the new grid is given with
 * the first slab that reaches beyond it.
 * @returns a function that takes the slabs in order: of grids along the same axes slices come out, of others
 * voxel by voxel
 */
export function linearResampler(
  from: Pick<Grid, 'size' | 'affine'>,
  to: Pick<Grid, 'size' | 'affine'>,
  take: { readonly slices: TakeSlices; readonly voxel: TakeVoxel },
): (slab: SlicesOfVolume) => void {
  const toSource = composeAffines(invertAffine(from.affine), to.affine);
  if (!isSameGrid(toSource, from.size, to.size) && !isDiagonal(toSource)) {
    return (slab) => samplePointsOfSlab(from.size, slab, to.size, toSource, take.voxel);
  }
  const steps = isSameGrid(toSource, from.size, to.size)
    ? []
    : axisSteps(from.size, to.size, toSource, 'linear');
  const alongZ = steps.find(({ axis }) => axis === 2)?.weights;
  const lower = Array.from({ length: to.size[2] }, (_, z) => alongZ?.indices[2 * z] ?? z); // at or before each new slice
  return (slab) => {
    const given = lower.flatMap((z, i) => (isWithin(z, slab, from.size[2]) ? [i] : []));
    const [first, last] = [given.at(0), given.at(-1)]; // the slices follow each other, as positions along z do
    if (first === undefined || last === undefined) return;
    const end = last + 1;
    const ofSlab = steps.map(({ axis, weights }) => {
      return { axis, weights: axis === 2 ? weightsWithin(weights, first, end, slab.first) : weights };
    });
    slab.channels.forEach((values, channel) => {
      const slice = from.size[0] * from.size[1];
      const depth = alongZ ? slab.depth : end - first;
      let data: VoxelArray = alongZ
        ? values
        : values.subarray((first - slab.first) * slice, (end - slab.first) * slice);
      const present: [number, number, number] = [from.size[0], from.size[1], depth];
      for (const { axis, weights } of ofSlab) {
        data = resampleAxis(data, present, 1, axis, weights, 'linear');
        present[axis] = axis === 2 ? end - first : to.size[axis];
      }
      take.slices(channel, first, data as Float32Array);
    });
  };
}

/** Weights of the outputs from `first` to before `end`, for inputs that begin with the slice `shift`. */
function weightsWithin(
  { taps, indices, weights }: AxisWeights,
  first: number,
  end: number,
  shift: number,
): AxisWeights {
  const [from, to] = [taps * first, taps * end];
  return { taps, indices: indices.slice(from, to).map((i) => i - shift), weights: weights.slice(from, to) };
}

function resampleAxes(volume: Volume, size: Triple, toSource: Affine, mode: Interpolation): VoxelArray {
  let { data } = volume;
  const present: [number, number, number] = mapAxes(volume.size, (n) => n);
  for (const { axis, weights } of axisSteps(volume.size, size, toSource, mode)) {
    data = resampleAxis(data, present, volume.channels, axis, weights, mode);
    present[axis] = size[axis];
  }
  return data;
}

/** What is done to one axis of a volume. */
export interface AxisStep {
  readonly axis: Axis;
  readonly weights: AxisWeights;
}

/** What `resampleToSpacing` does to each axis, in order; `to` is a grid of `gridAtSpacing`. */
export function spacingSteps(from: Grid, to: Grid, mode: Interpolation): AxisStep[] {
  const toSource = composeAffines(invertAffine(from.affine), to.affine);
  return isSameGrid(toSource, from.size, to.size) ? [] : axisSteps(from.size, to.size, toSource, mode);
}

/**
 * The axes that change between two grids that differ by `toSource`, a diagonal transform, in the order in
 * which they are resampled.
 */
function axisSteps(from: Triple, to: Triple, toSource: Affine, mode: Interpolation): AxisStep[] {
  const rows = affineRows(toSource);
  // The axis that shrinks most goes first: less to do for the others.
  const order = [...AXES].sort((a, b) => to[a] / from[a] - to[b] / from[b]);
  return order.flatMap((axis) => {
    const row = rows[axis];
    const positions = Float64Array.from({ length: to[axis] }, (_, i) => row[axis] * i + row[3]);
    if (isSamePositions(positions, from[axis])) return [];
    return [{ axis, weights: axisWeights(from[axis], positions, mode) }];
  });
}

const isDiagonal = ({ rows }: Affine): boolean =>
  rows.every((n, i) => i % 4 === 3 || i % 5 === 0 || Math.abs(n) < 1e-6);

const isSameGrid = ({ rows }: Affine, from: Triple, to: Triple): boolean =>
  rows.every((n, i) => Math.abs(n - (i % 5 === 0 ? 1 : 0)) < 1e-7) && to.every((n, axis) => n === from[axis]);

const isSamePositions = (positions: Float64Array, length: number): boolean =>
  positions.length === length && positions.every((p, i) => Math.abs(p - i) < 1e-7);

/** NumPy's rounding, which MONAI uses for sizes. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
