import { intAt } from '../at.js';
import { type Axis, mapSize, type Triple } from '../volume/index.js';
import type { Runs } from './runs.js';

/** A box of voxels. */
export interface Box {
  readonly start: Triple;
  readonly size: Triple;
}

/**
 * The smallest box around regions; undefined when they are all empty.
 * @param rows of a plane of the volume: its ny
 */
export function boxAround(regions: readonly Runs[], rows: number): Box | undefined {
  const none = Number.POSITIVE_INFINITY;
  const low: [number, number, number] = [none, none, none];
  const high: [number, number, number] = [-1, -1, -1];
  const extend = (axis: Axis, from: number, to: number) => {
    if (from < low[axis]) low[axis] = from;
    if (to > high[axis]) high[axis] = to;
  };
  for (const { values } of regions) {
    for (let i = 0; i < values.length; i += 3) {
      const row = intAt(values, i);
      const y = row % rows;
      const z = (row - y) / rows;
      extend(0, intAt(values, i + 1), intAt(values, i + 2));
      extend(1, y, y);
      extend(2, z, z);
    }
  }
  if (high[0] === -1) return undefined;
  return { start: low, size: mapSize(high, (end, axis) => end - low[axis] + 1) };
}
