import { type Tensor5D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { fileShape, fileSize, mapAxes, type SpatialSize } from './axis-order.js';
import type { Margins } from './network.js';

const sides = ['before', 'after'] as const;

/**
 * A level of the decoder cropped towards the target region as far as whole cells of it allow: from the
 * margins to whole multiples of `stride`, less what a coarser level before it was cropped by already.
 * @param level  [B, D, H, W, C], one cell of which spans `stride` voxels
 * @param already stride of the coarser level that `level` was computed from, cropped by this function
 *   before; absent: nothing was cropped
 * @throws ShapeError when a margin is negative or no multiple of the finest stride, or when nothing is left
 */
export function cropTowards(
  level: Tensor5D,
  stride: number,
  margins: Margins | undefined,
  already?: number,
): Tensor5D {
  if (!margins || [...margins.before, ...margins.after].every((voxels) => voxels === 0)) return level;
  const spare = (side: (typeof sides)[number]): SpatialSize =>
    mapAxes(
      margins[side],
      (voxels) => (whole(voxels, stride) - (already === undefined ? 0 : whole(voxels, already))) / stride,
    );
  const [before, after] = [spare('before'), spare('after')];
  const [batch, depth, height, width, channels] = level.shape;
  const size = mapAxes([depth, height, width], (n, axis) => n - before[axis] - after[axis]);
  if (size.some((n) => n < 1) || [...before, ...after].some((n) => n < 0)) {
    throw new ShapeError(
      `the margins [${fileSize(margins.before)}] and [${fileSize(margins.after)}] leave nothing of ` +
        `[${fileShape(level.shape)}] (batch, x, y, z, channels), whose cells are ${stride} voxels`,
    );
  }
  return tf.slice(level, [0, ...before, 0], [batch, ...size, channels]);
}

/** Refuses margins that are no whole multiples of `stride`. Throws ShapeError. */
export function requireMultiples(margins: Margins | undefined, stride: number): void {
  if (
    !margins ||
    [...margins.before, ...margins.after].every((voxels) => voxels >= 0 && voxels % stride === 0)
  )
    return;
  throw new ShapeError(
    `the margins [${fileSize(margins.before)}] and [${fileSize(margins.after)}] (x, y, z) of the ` +
      `target region must be multiples of ${stride} voxels`,
  );
}

const whole = (voxels: number, stride: number): number => Math.floor(voxels / stride) * stride;
