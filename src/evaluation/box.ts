import type { Triple } from '../volume/index.js';

/** A box of voxels. */
export interface Box {
  readonly start: Triple;
  readonly size: Triple;
}

/** Lowest and highest voxel seen so far along `[x, y, z]`; `high` below `low` when none was. */
export interface Extent {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** Of no voxel yet. */
export const emptyExtent = (): Extent => ({ low: new Int32Array(3).fill(0x7fffffff), high: new Int32Array(3).fill(-1) });

/** Takes in the voxels from `fromX` to `toX` of a row. */
export function extendByRun({ low, high }: Extent, fromX: number, toX: number, y: number, z: number): void {
  if (fromX < low[0]!) low[0] = fromX;
  if (toX > high[0]!) high[0] = toX;
  if (y < low[1]!) low[1] = y;
  if (y > high[1]!) high[1] = y;
  if (z < low[2]!) low[2] = z;
  if (z > high[2]!) high[2] = z;
}

/** The smallest box around all of them; undefined when they hold no voxel. */
export function boxAround(extents: readonly Extent[]): Box | undefined {
  const low = [0, 1, 2].map((axis) => Math.min(...extents.map((extent) => extent.low[axis]!)));
  const high = [0, 1, 2].map((axis) => Math.max(...extents.map((extent) => extent.high[axis]!)));
  if (extents.length === 0 || high[0] === -1) return undefined;
  return { start: low as unknown as Triple, size: high.map((end, axis) => end - low[axis]! + 1) as unknown as Triple };
}
