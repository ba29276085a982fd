import type { RandomStream } from '../random/streams.js';

/** Voxels along [x, y, z]. */
export type CropSize = readonly [x: number, y: number, z: number];

/** One crop, planar: `[c][z][y][x]`, intensities in [0, 1]. */
export interface Crop {
  readonly data: Float32Array;
  readonly size: CropSize;
  readonly channels: number;
}

/** A box inside a crop: first voxel and sides, [x, y, z]. */
export interface Box {
  readonly start: CropSize;
  readonly sides: CropSize;
}

/** 0: x, 1: y, 2: z. */
export type Axis = 0 | 1 | 2;

/** Voxels that the boxes of in- and out-painting stay away from the crop's border. */
const EDGE = 3;

/**
 * The smallest side that every corruption can be drawn in:
 * out-painting's largest window and the edges on both sides just fit.
 */
export const SMALLEST_SIDE = 14;

/** A whole number uniform in [low, high], both included. */
export const between = (stream: RandomStream, low: number, high: number): number =>
  low + stream.integer(high - low + 1);

/** A value an axis. */
export const perAxis = (of: (axis: Axis) => number): CropSize => [of(0), of(1), of(2)];

/** A box whose sides `sideOf` draws, uniformly placed at least three voxels off the crop's border. */
export function paintingBox(stream: RandomStream, size: CropSize, sideOf: (voxels: number) => number): Box {
  const sides = perAxis((axis) => sideOf(size[axis]));
  return { sides, start: perAxis((axis) => between(stream, EDGE, size[axis] - sides[axis] - EDGE)) };
}

/** Visits the position of the first voxel of each of a box's rows along x, in one channel of a crop: y, then z. */
export function forEachRow({ start, sides }: Box, [nx, ny]: CropSize, visit: (first: number) => void): void {
  for (let z = start[2]; z < start[2] + sides[2]; z++) {
    for (let y = start[1]; y < start[1] + sides[1]; y++) visit((z * ny + y) * nx + start[0]);
  }
}

/** Voxels of one channel. */
export const channelLength = ([nx, ny, nz]: CropSize): number => nx * ny * nz;
