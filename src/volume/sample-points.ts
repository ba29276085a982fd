import { itemAt } from '../at.js';
import { type Affine, affineRows } from './affine.js';
import type { Interpolation } from './interpolation.js';
import { isWithin, type SlicesOfVolume } from './slab.js';
import type { Triple } from './triple.js';
import { arrayLike, type Volume, type VoxelArray, voxelCount } from './volume.js';

/** Takes the values of all channels at a voxel of the new grid; the array is used again. */
export type TakeVoxel = (voxel: number, values: Float32Array) => void;

/**
 * The values of a volume at the voxels of a grid, point by point, for grids whose axes are not its own.
 * @param toSource from voxels of the new grid to those of the volume
 * @returns planar, as the volume; the type of its data for nearest, else float32
 */
export function samplePoints(
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

/**
 * The same with linear interpolation, of those points that lie in a slab.
 * @param size of the whole volume
 */
export function samplePointsOfSlab(
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
