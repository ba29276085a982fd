import { type Affine, composeAffines, invertAffine, respaceAffine, spacingOf } from './affine.js';
import { type AxisWeights, axisWeights, cubicWeights, type Interpolation, mirror, splineCoefficients } from './interpolation.js';
import { arrayLike, type Triple, type Volume, type VoxelArray, voxelCount } from './volume.js';

/**
 * The volume at another spacing: same directions, same centre of the first voxel, `round((n - 1) * old / new + 1)` voxels an
 * axis, as MONAI's `Spacing` with `align_corners=False` and border padding. Linear and cubic give float32; nearest keeps the type.
 * @param spacing mm along the volume's own axes
 */
export function resampleToSpacing(volume: Volume, spacing: Triple, mode: Interpolation): Volume {
  const ratio = spacing.map((mm, axis) => mm / volume.spacing[axis]!);
  const size = volume.size.map((n, axis) => roundHalfEven((n - 1) / ratio[axis]! + 1)) as unknown as Triple;
  return resampleToGrid(volume, { size, affine: respaceAffine(volume.affine, spacing) }, mode);
}

/**
 * The volume's values at the voxels of another grid. Outside the volume its border goes on.
 * Axis-aligned pairs of grids are resampled one axis at a time, others point by point.
 */
export function resampleToGrid(volume: Volume, grid: { readonly size: Triple; readonly affine: Affine }, mode: Interpolation): Volume {
  const toSource = composeAffines(invertAffine(volume.affine), grid.affine);
  const described = { size: grid.size, spacing: spacingOf(grid.affine), affine: grid.affine, channels: volume.channels };
  if (isIdentity(toSource) && grid.size.every((n, axis) => n === volume.size[axis])) return { ...described, data: volume.data };
  const source = mode === 'cubic' ? withSplineCoefficients(volume) : volume;
  return {
    ...described,
    data: isDiagonal(toSource) ? resampleAxes(source, grid.size, toSource, mode) : samplePoints(source, grid.size, toSource, mode),
  };
}

function resampleAxes(volume: Volume, size: Triple, { rows }: Affine, mode: Interpolation): VoxelArray {
  let { data } = volume;
  const present = [...volume.size] as [number, number, number];
  // The axis that shrinks most goes first: less to do for the others.
  const order = [0, 1, 2].sort((a, b) => size[a]! / volume.size[a]! - size[b]! / volume.size[b]!);
  for (const axis of order) {
    const positions = Float64Array.from({ length: size[axis]! }, (_, i) => rows[5 * axis]! * i + rows[4 * axis + 3]!);
    if (mode !== 'cubic' && isSamePositions(positions, present[axis]!)) continue;
    data = resampleAxis(data, present, volume.channels, axis, axisWeights(present[axis]!, positions, mode), mode);
    present[axis] = size[axis]!;
  }
  return data;
}

/** One axis as a small matrix product; runs along x stay contiguous for the other axes. */
function resampleAxis(
  data: VoxelArray,
  size: Triple,
  channels: number,
  axis: number,
  { taps, indices, weights }: AxisWeights,
  mode: Interpolation,
): VoxelArray {
  const outputs = indices.length / taps;
  const inner = size.slice(0, axis).reduce((a, b) => a * b, 1);
  const outer = size.slice(axis + 1).reduce((a, b) => a * b, 1) * channels;
  const length = size[axis]!;
  const total = inner * outputs * outer;
  const result = mode === 'nearest' ? arrayLike(data, total) : new Float32Array(total);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < outputs; i++) {
      const target = inner * (i + outputs * o);
      for (let tap = 0; tap < taps; tap++) {
        const weight = weights[i * taps + tap]!;
        if (weight === 0) continue;
        const from = inner * (indices[i * taps + tap]! + length * o);
        for (let k = 0; k < inner; k++) result[target + k]! += weight * data[from + k]!;
      }
    }
  }
  return result;
}

/** Point by point, for oblique pairs of grids. */
function samplePoints({ data, size, channels }: Volume, newSize: Triple, { rows }: Affine, mode: Interpolation): VoxelArray {
  const sourceCount = voxelCount({ size });
  const count = voxelCount({ size: newSize });
  const result = mode === 'nearest' ? arrayLike(data, count * channels) : new Float32Array(count * channels);
  const taps = mode === 'nearest' ? 1 : mode === 'linear' ? 2 : 4;
  const offsets = [new Int32Array(taps), new Int32Array(taps), new Int32Array(taps)] as const;
  const weights = [new Float64Array(taps), new Float64Array(taps), new Float64Array(taps)] as const;
  const strides = [1, size[0], size[0] * size[1]];
  let target = 0;
  for (let z = 0; z < newSize[2]; z++) {
    for (let y = 0; y < newSize[1]; y++) {
      for (let x = 0; x < newSize[0]; x++, target++) {
        for (let axis = 0; axis < 3; axis++) {
          const at = rows[4 * axis]! * x + rows[4 * axis + 1]! * y + rows[4 * axis + 2]! * z + rows[4 * axis + 3]!;
          fillTaps(at, size[axis]!, strides[axis]!, mode, offsets[axis]!, weights[axis]!);
        }
        for (let c = 0; c < channels; c++) result[target + c * count] = weighedSum(data, c * sourceCount, offsets, weights);
      }
    }
  }
  return result;
}

function fillTaps(position: number, length: number, stride: number, mode: Interpolation, offsets: Int32Array, weights: Float64Array): void {
  const at = Math.min(length - 1, Math.max(0, position));
  const low = mode === 'nearest' ? Math.min(length - 1, Math.floor(at + 0.5)) : Math.floor(at);
  if (mode === 'nearest') {
    offsets[0] = low * stride;
    weights[0] = 1;
  } else if (mode === 'linear') {
    offsets[0] = low * stride;
    offsets[1] = Math.min(length - 1, low + 1) * stride;
    weights[0] = 1 - (at - low);
    weights[1] = at - low;
  } else {
    weights.set(cubicWeights(at - low));
    for (let tap = 0; tap < 4; tap++) offsets[tap] = mirror(low - 1 + tap, length) * stride;
  }
}

type PerAxis<T> = readonly [T, T, T];

function weighedSum(data: VoxelArray, start: number, [ox, oy, oz]: PerAxis<Int32Array>, [wx, wy, wz]: PerAxis<Float64Array>): number {
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

/** The volume with B-spline coefficients in place of values. */
function withSplineCoefficients(volume: Volume): Volume {
  const data = Float32Array.from(volume.data);
  const { size } = volume;
  const strides = [1, size[0], size[0] * size[1]];
  for (let axis = 0; axis < 3; axis++) {
    const [length, stride] = [size[axis]!, strides[axis]!];
    const line = new Float64Array(length);
    for (let start = 0; start < data.length; start++) {
      if (Math.floor(start / stride) % length !== 0) continue;
      for (let i = 0; i < length; i++) line[i] = data[start + i * stride]!;
      splineCoefficients(line);
      for (let i = 0; i < length; i++) data[start + i * stride] = line[i]!;
    }
  }
  return { ...volume, data };
}

const isDiagonal = ({ rows }: Affine): boolean => rows.every((n, i) => i % 4 === 3 || i % 5 === 0 || Math.abs(n) < 1e-6);

const isIdentity = ({ rows }: Affine): boolean => rows.every((n, i) => Math.abs(n - (i % 5 === 0 ? 1 : 0)) < 1e-7);

const isSamePositions = (positions: Float64Array, length: number): boolean =>
  positions.length === length && positions.every((p, i) => Math.abs(p - i) < 1e-7);

/** NumPy's rounding, which MONAI uses for sizes. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
