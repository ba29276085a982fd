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

/** Labels have values below this: `classValueType` is uint8 or uint16. */
const mostValues = 2 ** 16;

/**
 * Where the voxels of each class are, so that a crop can be centred on one without reading the label.
 * Of a class with more than `most` voxels, one is drawn from each of `most` equal runs in raster order.
 * @param labels in parts, x fastest; 0 is background and not listed
 */
export function classPositions(labels: ChannelParts, most: number = mostPositions): Record<string, ClassPositions> {
  const counts = new Uint32Array(mostValues);
  for (const part of labels()) for (let i = 0; i < part.length; i++) if (part[i] !== 0) counts[part[i]!]!++;
  const values: number[] = [];
  for (let value = 1; value < mostValues; value++) if (counts[value]! > 0) values.push(value);
  const wanted = new Map(values.map((value) => [value, spreadRanks(value, counts[value]!, most)]));
  const found = new Map([...wanted].map(([value, ranks]) => [value, new Uint32Array(ranks.length)]));
  const passed = new Uint32Array(mostValues); // voxels of each value so far
  const filled = new Uint32Array(mostValues);
  const awaited = new Float64Array(mostValues).fill(Number.POSITIVE_INFINITY); // the rank that is kept next
  for (const [value, ranks] of wanted) awaited[value] = ranks[0]!;
  let first = 0;
  for (const part of labels()) {
    for (let i = 0; i < part.length; i++) {
      const value = part[i]!;
      if (value === 0 || passed[value]!++ !== awaited[value]) continue;
      const place = filled[value]!++;
      found.get(value)![place] = first + i;
      const ranks = wanted.get(value)!;
      awaited[value] = place + 1 < ranks.length ? ranks[place + 1]! : Number.POSITIVE_INFINITY;
    }
    first += part.length;
  }
  return Object.fromEntries(values.map((value) => [String(value), { voxels: counts[value]!, positions: found.get(value)! }]));
}

/** Rising, each rank once: one from each of `most` runs, none of which is empty. */
function spreadRanks(value: number, count: number, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, rank) => rank);
  const stream = randomStream(0, 'crop', value);
  const runStart = (k: number) => Math.floor((k * count) / most);
  return Uint32Array.from({ length: most }, (_, k) => runStart(k) + stream.integer(runStart(k + 1) - runStart(k)));
}
