import type { Axis, InOrder } from '../axes.js';

/**
 * The one convention of axes. Everything outside the engine says [x, y, z], in the order of the axes of a
 * NIfTI file: settings, messages, weight files and exported models. MONAI, which reads a file as [x, y, z],
 * means the same by its first, second and third axis.
 *
 * The engine holds images as [B, D, H, W, C] with D = z, H = y and W = x, because a file has x fastest in
 * memory: no voxel is moved on the way in or out. So each weight with spatial axes is turned round where it
 * enters or leaves a file (`weights.ts`), and each order of tokens that a weight refers to is counted as
 * MONAI counts it, x slowest (`rasterIndex`).
 */

/**
 * Voxels (or cells of a coarser grid) along the three spatial axes of a `[B, D, H, W, C]` tensor: [z, y, x].
 */
export type SpatialSize = readonly [depth: number, height: number, width: number] & InOrder<'zyx'>;

/** Voxels along the axes of a file, as users give and read them. */
export type FileSize = readonly [x: number, y: number, z: number] & InOrder<'xyz'>;

/**
 * An axis of a `SpatialSize`: 0 for depth, 1 for height, 2 for width. What has one value an axis is indexed
 * by it without a check.
 */
export type SpatialAxis = Axis;

export { mapAxes } from '../axes.js';

/** [x, y, z] as the engine's [D, H, W]. */
export const spatialSize = ([x, y, z]: FileSize): SpatialSize => [z, y, x];

/** The engine's [D, H, W] as [x, y, z]: for messages and for files. */
export const fileSize = ([depth, height, width]: SpatialSize): FileSize => [width, height, depth];

/** [B, D, H, W, C] as [B, x, y, z, C]. */
export const fileShape = ([batch, depth, height, width, channels]: readonly [
  number,
  number,
  number,
  number,
  number,
]): readonly number[] => [batch, ...fileSize([depth, height, width]), channels];

/** Where MONAI counts the cell [d, h, w] of a grid: z fastest, x slowest. */
export const rasterIndex = ([d, h, w]: SpatialSize, [depth, height]: SpatialSize): number =>
  (w * height + h) * depth + d;

/** What weight files say of their axes, in their metadata. */
export const AXIS_ORDER = { axisOrder: 'xyz' } as const;

/**
 * How the axes of a weights file lie. `zyx`: written by a version of this project before 0.2, which took
 * MONAI's first axis for z; those files name their producer and say nothing of axes. A file that says nothing
 * at all is MONAI's, or that of another program that means the same.
 */
export function axisOrderOf(
  metadata: Readonly<Record<string, string>>,
): 'xyz' | 'zyx' | { readonly unknown: string } {
  const { axisOrder, producer } = metadata;
  if (axisOrder === undefined) return producer === 'hybridmim' ? 'zyx' : 'xyz';
  return axisOrder === AXIS_ORDER.axisOrder ? 'xyz' : { unknown: axisOrder };
}
