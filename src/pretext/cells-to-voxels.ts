import type { Tensor2D, Tensor5D } from '../engine/index.js';

/** Lengths of a tensor that begins [B, d, h, w]. */
type Cells = readonly [batch: number, d: number, h: number, w: number, ...further: number[]];

/**
 * Puts the voxels of every cell in their place; within a cell they lie [z, y, x, channel].
 * @param cells [B * d * h * w, s^3 * C]
 * @param grid  [B, d, h, w], of which only these four count
 * @param s     side of a cell in voxels
 * @returns [B, d * s, h * s, w * s, C]
 */
export function cellsToVoxels(
  cells: Tensor2D,
  [batch, d, h, w]: Cells,
  s: number,
  channels: number,
): Tensor5D {
  // [B d h, (sz sy), w, (sx C)]
  const rows = cells.reshape([batch * d * h, w, s * s, s * channels]).transpose([0, 2, 1, 3]);
  // [B d, sz, h, (sy W C)]
  const planes = rows.reshape([batch * d, h, s, s * w * s * channels]).transpose([0, 2, 1, 3]);
  return planes.reshape([batch, d * s, h * s, w * s, channels]);
}

/**
 * The inverse of `cellsToVoxels`: what lies in every cube of `s` voxels, side by side, [z, y, x, channel].
 * @param x [B, D, H, W, C], whose sides are multiples of `s`
 * @returns [B * D/s * H/s * W/s, s^3 * C]
 */
export function voxelsToCells(x: Tensor5D, s: number): Tensor2D {
  const [batch, depth, height, width, channels] = x.shape;
  const [d, h, w] = [depth / s, height / s, width / s];
  // [B d, h, sz, (sy W C)]
  const rows = x.reshape([batch * d, s, h, s * w * s * channels]).transpose([0, 2, 1, 3]);
  // [B d h, w, (sz sy), (sx C)]
  const cells = rows.reshape([batch * d * h, s * s, w, s * channels]).transpose([0, 2, 1, 3]);
  return cells.reshape([batch * d * h * w, s ** 3 * channels]);
}
