import { randomStream } from '../random/streams.js';
import type { ChannelParts } from '../volume/index.js';

export interface ClassPositions {
  /** All voxels of the class in the prepared label. */
  readonly voxels: number;
  /** Some of them, spread over all: x + nx*(y + ny*z), rising. */
  readonly positions: Uint32Array;
}

/** As many positions as are kept for a class: enough for crops to be spread, few enough to be nothing beside the volume. */
const mostPositions = 4096;

/**
 * Where the voxels of each class are, so that a crop can be centred on one without reading the label.
 * Of a class with more than `most` voxels, one is drawn from each of `most` equal runs in raster order.
 * @param labels in parts, x fastest; 0 is background and not listed
 */
export function classPositions(labels: ChannelParts, most: number = mostPositions): Record<string, ClassPositions> {
  const counts = new Map<number, number>();
  for (const part of labels()) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i]!;
      if (value !== 0) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  const wanted = new Map([...counts].map(([value, count]) => [value, spreadRanks(value, count, most)]));
  const seen = new Map([...counts.keys()].map((value) => [value, { rank: 0, filled: 0 }]));
  const found = new Map([...wanted].map(([value, ranks]) => [value, new Uint32Array(ranks.length)]));
  let first = 0;
  for (const part of labels()) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i]!;
      if (value === 0) continue;
      const state = seen.get(value)!;
      const ranks = wanted.get(value)!;
      if (state.rank === ranks[state.filled]) found.get(value)![state.filled++] = first + i;
      state.rank++;
    }
    first += part.length;
  }
  const rising = [...counts].sort(([a], [b]) => a - b);
  return Object.fromEntries(rising.map(([value, voxels]) => [String(value), { voxels, positions: found.get(value)! }]));
}

/** Rising, each rank once: one from each of `most` runs, none of which is empty. */
function spreadRanks(value: number, count: number, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, rank) => rank);
  const stream = randomStream(0, 'crop', value);
  const runStart = (k: number) => Math.floor((k * count) / most);
  return Uint32Array.from({ length: most }, (_, k) => runStart(k) + stream.integer(runStart(k + 1) - runStart(k)));
}
