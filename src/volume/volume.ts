import { DataError } from '../errors.js';
import type { Affine } from './affine.js';
import type { Triple } from './triple.js';

/**
 * Voxel values as they are kept in memory; file types without an array of their own are converted on reading.
 * Float64 is of labels alone.
 */
export type VoxelArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/**
 * What the values of a file are for. `intensities`: types of 8 bytes become float32, which is as exact as any
 * scanner. `labels`: every whole number up to 2^53 stays what it is, since ids that are rounded become other ids.
 */
export type ValueUse = 'intensities' | 'labels';

/** The constructor of such an array: of zeros, or over the bytes of a buffer. */
export interface VoxelArrayType {
  new (length: number): VoxelArray;
  new (buffer: ArrayBufferLike, offset?: number, length?: number): VoxelArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** Where the voxels of a volume lie. */
export interface Grid {
  /** Voxels along `[x, y, z]`. */
  readonly size: Triple;
  /** mm between voxel centres along `[x, y, z]`. */
  readonly spacing: Triple;
  /** Voxel index to RAS mm. */
  readonly affine: Affine;
}

/** One 3-D image. `data` is channel-planar, x fastest: index = x + nx * (y + ny * (z + nz * channel)). */
export interface Volume extends Grid {
  readonly channels: number;
  readonly data: VoxelArray;
}

/** More voxels than any scanner makes, of all channels together: 1024 x 1024 x 2048. */
export const largestVoxelCount = 2 ** 31;

/**
 * Refuses a scan of more voxels than there can be. A file of a few megabytes may hold them all the same, where
 * they are one value over and over.
 * @param voxels of all channels
 * @throws DataError
 */
export function requirePossibleCount(voxels: number, file: string): void {
  if (voxels <= largestVoxelCount) return;
  throw new DataError(
    `${file} has ${voxels} voxels, but ${largestVoxelCount} are the most that a scan may have: ` +
      'check its header, or cut the scan into parts',
    { file, field: 'size', found: voxels, expected: largestVoxelCount },
  );
}

/** Voxels of one channel. */
export function voxelCount({ size: [nx, ny, nz] }: Pick<Grid, 'size'>): number {
  return nx * ny * nz;
}

/** A zeroed array of the same element type. */
export function arrayLike(data: VoxelArray, length: number): VoxelArray {
  return new (data.constructor as new (length: number) => VoxelArray)(length);
}
