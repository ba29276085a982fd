import { floatAt, intAt, itemAt } from '../at.js';
import { type Affine, affineRows, composeAffines, invertAffine, respaceAffine, spacingOf } from './affine.js';
import { type AxisWeights, axisWeights, type Interpolation } from './interpolation.js';
import { AXES, type Axis, mapAxes, mapSize, type Triple } from './triple.js';
import { arrayLike, type Grid, type Volume, type VoxelArray, voxelCount } from './volume.js';

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

/** Some slices of a volume along z, planar: `first` is the index of the first of `depth`. */
export interface SlicesOfVolume {
  readonly first: number;
  readonly depth: number;
  readonly channels: readonly Float32Array[];
}

/**
 * Takes the values of a channel at all voxels of the slices from `first` on of the new grid; of every channel
 * in turn for the same slices.
 */
export type TakeSlices = (channel: number, first: number, values: Float32Array) => void;

/** Takes the values of all channels at a voxel of the new grid; the array is used again. */
export type TakeVoxel = (voxel: number, values: Float32Array) => void;

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

/**
 * Whether a slice and the one after it are in a slab and were not in the one before: its own last slice waits
 * for the next slab.
 */
const isWithin = (z: number, { first, depth }: SlicesOfVolume, slices: number): boolean =>
  z >= first && (z < first + depth - 1 || first + depth === slices);

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

/**
 * One axis as a small matrix product; runs along x stay contiguous for the other axes.
 * @param size of `data` now, `[x, y, z]`
 * @param into an array of the result's type and length to fill and return; absent: a new one
 * @param lines along x, the only ones that are looked at when `axis` is 0; the others of `into` stay as they
 * are. Absent: all
 * @returns the type of `data` for nearest, else float32
 */
export function resampleAxis(
  data: VoxelArray,
  size: Triple,
  channels: number,
  axis: Axis,
  { taps, indices, weights }: AxisWeights,
  mode: Interpolation,
  into?: VoxelArray,
  lines?: Int32Array,
): VoxelArray {
  const outputs = indices.length / taps;
  const inner = size.slice(0, axis).reduce((a, b) => a * b, 1);
  const outer = size.slice(axis + 1).reduce((a, b) => a * b, 1) * channels;
  const length = size[axis];
  const total = inner * outputs * outer;
  const result = into ?? (mode === 'nearest' ? arrayLike(data, total) : new Float32Array(total));
  if (inner === 1) {
    for (let k = 0; k < (lines?.length ?? outer); k++) {
      const line = lines ? intAt(lines, k) : k;
      sampleLine(data, length * line, { taps, indices, weights }, result, outputs * line);
    }
    return result;
  }
  const parts = new Array<VoxelArray>(taps).fill(data);
  const starts = new Int32Array(taps);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < outputs; i++) {
      for (let tap = 0; tap < taps; tap++)
        starts[tap] = inner * (intAt(indices, i * taps + tap) + length * o);
      addWeighed(parts, starts, weights, i * taps, result, inner * (i + outputs * o), inner);
    }
  }
  return result;
}

/**
 * The weighed sum of runs of one length, rounded to the type of `result` after each term; those without
 * weight count for nothing.
 * @param starts where the run of each part begins
 * @param first the weight of the first part; those of the others follow it
 * @param to where the sum begins in `result`
 */
export function addWeighed(
  parts: readonly VoxelArray[],
  starts: Int32Array,
  weights: Float32Array,
  first: number,
  result: VoxelArray,
  to: number,
  length: number,
): void {
  let [used, low, high] = [0, -1, -1]; // how many have weight, the first and the last of them
  for (let tap = 0; tap < parts.length; tap++) {
    if (weights[first + tap] === 0) continue;
    used++;
    if (low === -1) low = tap;
    high = tap;
  }
  if (used === 1 && weights[first + low] === 1) {
    const start = intAt(starts, low);
    result.set(itemAt(parts, low).subarray(start, start + length), to);
  } else if (used === 2) {
    const [a, b] = [itemAt(parts, low), itemAt(parts, high)];
    const [fromA, fromB] = [intAt(starts, low), intAt(starts, high)];
    const [weightA, weightB] = [floatAt(weights, first + low), floatAt(weights, first + high)];
    addTwo(a, fromA, weightA, b, fromB, weightB, result, to, length);
  } else {
    result.fill(0, to, to + length);
    for (let tap = 0; tap < parts.length; tap++) {
      const [part, start, weight] = [itemAt(parts, tap), intAt(starts, tap), floatAt(weights, first + tap)];
      if (weight !== 0) for (let k = 0; k < length; k++) result[to + k]! += weight * part[start + k]!;
    }
  }
}

function addTwo(
  a: VoxelArray,
  fromA: number,
  weightA: number,
  b: VoxelArray,
  fromB: number,
  weightB: number,
  result: VoxelArray,
  to: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    result[to + k] = Math.fround(weightA * a[fromA + k]!) + weightB * b[fromB + k]!;
  }
}

/**
 * The same along contiguous values, which are gathered. Reads without checks: with them it takes 5 to
 * 10 % longer.
 */
function sampleLine(
  data: VoxelArray,
  from: number,
  { taps, indices, weights }: AxisWeights,
  result: VoxelArray,
  to: number,
): void {
  const outputs = indices.length / taps;
  if (taps === 1) {
    for (let i = 0; i < outputs; i++) result[to + i] = data[from + indices[i]!]!;
  } else {
    for (let i = 0; i < outputs; i++) {
      const first = Math.fround(weights[2 * i]! * data[from + indices[2 * i]!]!);
      result[to + i] = first + weights[2 * i + 1]! * data[from + indices[2 * i + 1]!]!;
    }
  }
}

/** Point by point, for oblique pairs of grids. */
function samplePoints(
  { data, size, channels }: Volume,
  newSize: Triple,
  toSource: Affine,
  mode: Interpolation,
): VoxelArray {
  const sourceCount = voxelCount({ size });
  const count = voxelCount({ size: newSize });
  const result = mode === 'nearest' ? arrayLike(data, count * channels) : new Float32Array(count * channels);
  forEachPoint(size, newSize, toSource, mode, undefined, (target, offsets, weights) => {
    for (let c = 0; c < channels; c++) {
      result[target + c * count] = weighedSum(data, c * sourceCount, offsets, weights);
    }
  });
  return result;
}

/** The same of those points that lie in a slab. */
function samplePointsOfSlab(
  size: Triple,
  slab: SlicesOfVolume,
  newSize: Triple,
  toSource: Affine,
  take: TakeVoxel,
): void {
  const { channels, first } = slab;
  const values = new Float32Array(channels.length);
  const before = -first * size[0] * size[1];
  const isInSlab = (z: number) => isWithin(z, slab, size[2]);
  forEachPoint(size, newSize, toSource, 'linear', isInSlab, (target, offsets, weights) => {
    for (let c = 0; c < channels.length; c++)
      values[c] = weighedSum(itemAt(channels, c), before, offsets, weights);
    take(target, values);
  });
}

/**
 * Every voxel of a new grid with the places and weights of those around its point in the volume; `isWanted`
 * is asked for the slice at or before the point.
 */
function forEachPoint(
  size: Triple,
  newSize: Triple,
  toSource: Affine,
  mode: Interpolation,
  isWanted: ((z: number) => boolean) | undefined,
  visit: (target: number, offsets: PerAxis<Int32Array>, weights: PerAxis<Float64Array>) => void,
): void {
  const taps = mode === 'nearest' ? 1 : 2;
  const offsets = [new Int32Array(taps), new Int32Array(taps), new Int32Array(taps)] as const;
  const weights = [new Float64Array(taps), new Float64Array(taps), new Float64Array(taps)] as const;
  const [[xx, xy, xz, x0], [yx, yy, yz, y0], [zx, zy, zz, z0]] = affineRows(toSource);
  const strides: Triple = [1, size[0], size[0] * size[1]];
  let target = 0;
  for (let z = 0; z < newSize[2]; z++) {
    for (let y = 0; y < newSize[1]; y++) {
      for (let x = 0; x < newSize[0]; x++, target++) {
        const alongZ = zx * x + zy * y + zz * z + z0;
        if (isWanted && !isWanted(Math.floor(Math.min(size[2] - 1, Math.max(0, alongZ))))) continue;
        fillTaps(xx * x + xy * y + xz * z + x0, size[0], strides[0], mode, offsets[0], weights[0]);
        fillTaps(yx * x + yy * y + yz * z + y0, size[1], strides[1], mode, offsets[1], weights[1]);
        fillTaps(alongZ, size[2], strides[2], mode, offsets[2], weights[2]);
        visit(target, offsets, weights);
      }
    }
  }
}

function fillTaps(
  position: number,
  length: number,
  stride: number,
  mode: Interpolation,
  offsets: Int32Array,
  weights: Float64Array,
): void {
  const at = Math.min(length - 1, Math.max(0, position));
  const low = mode === 'nearest' ? Math.min(length - 1, Math.floor(at + 0.5)) : Math.floor(at);
  if (mode === 'nearest') {
    offsets[0] = low * stride;
    weights[0] = 1;
  } else {
    offsets[0] = low * stride;
    offsets[1] = Math.min(length - 1, low + 1) * stride;
    weights[0] = 1 - (at - low);
    weights[1] = at - low;
  }
}

type PerAxis<T> = readonly [T, T, T];

/** Reads without checks: with them a point takes a tenth to a fifth longer. */
function weighedSum(
  data: VoxelArray,
  start: number,
  [ox, oy, oz]: PerAxis<Int32Array>,
  [wx, wy, wz]: PerAxis<Float64Array>,
): number {
  let sum = 0;
  for (let k = 0; k < oz.length; k++) {
    for (let j = 0; j < oy.length; j++) {
      const row = start + oz[k]! + oy[j]!;
      const weight = wz[k]! * wy[j]!;
      for (let i = 0; i < ox.length; i++) sum += weight * wx[i]! * data[row + ox[i]!]!;
    }
  }
  return sum;
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
