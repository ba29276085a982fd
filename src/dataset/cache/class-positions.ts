import { uint32At } from '../../at.js';
import { WorkError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';

/** Where a class is in a label. */
export interface ClassPositions {
  /** All voxels of the class in the prepared label. */
  readonly voxels: number;
  /** Some of them, from every part of the label: x + nx*(y + ny*z), rising. */
  readonly positions: Uint32Array;
}

/** The key of `annotated` where positions are kept by the values of classes. */
export const annotatedKey = 'annotated';

/** At most as many positions of a class are kept: enough for crops to differ, few beside the volume. */
const mostPositions = 4096;

/** Labels have values below this: `classValueType` is uint8 or uint16. */
const mostValues = 2 ** 16;

/** Takes a label in parts, in order, and notes where its classes are. */
export interface ClassFinder {
  /**
   * By the value of the class, rising; 0 is background and not
   * listed. Positions are there once all parts were added.
   */
  readonly classes: Readonly<Record<string, ClassPositions>>;
  /** Where somebody labelled something, background too; with `ignore` alone. */
  readonly annotated?: ClassPositions;
  add(part: ArrayLike<number>): void;
}

/**
 * Where the voxels of each class are, so that a crop can be centred on one without reading the label.
 * Of a class with more than `most` voxels, one is drawn from each of `most` equal runs in raster order.
 * @param labels in parts, x fastest; they are counted here, and are to be added in the same order
 * @param ignore a value that is no class: of voxels that nobody labelled
 */
export function classFinder(
  labels: Iterable<ArrayLike<number>>,
  most: number = mostPositions,
  ignore?: number,
): ClassFinder {
  const counts = new Uint32Array(mostValues);
  let voxels = 0;
  for (const part of labels) {
    countValues(part, counts);
    voxels += part.length;
  }
  const annotated =
    ignore === undefined ? undefined : annotatedFinder(ignore, voxels - uint32At(counts, ignore), most);
  const kept = new Map<number, KeptVoxels>();
  const found: Found = { kept, passed: new Uint32Array(mostValues), awaited: new Uint32Array(mostValues) };
  if (ignore !== undefined) found.awaited[ignore] = noRank;
  const classes: Record<string, ClassPositions> = {};
  for (let value = 1; value < mostValues; value++) {
    if (counts[value] === 0 || value === ignore) continue;
    const voxels = uint32At(counts, value);
    const ranks = drawRanks(value, voxels, most);
    const positions = new Uint32Array(ranks.length);
    kept.set(value, { ranks, positions, filled: 0 });
    found.awaited[value] = uint32At(ranks, 0);
    classes[value] = { voxels, positions };
  }
  let first = 0;
  const add = (part: ArrayLike<number>) => {
    notePositions(part, first, found);
    annotated?.add(part, first);
    first += part.length;
  };
  return { classes, ...(annotated && { annotated: annotated.positions }), add };
}

/** Finds voxels of every value but one. */
function annotatedFinder(ignore: number, voxels: number, most: number) {
  const ranks = drawRanks(0, voxels, most);
  const positions = new Uint32Array(ranks.length);
  let [passed, filled] = [0, 0];
  const add = (part: ArrayLike<number>, first: number) => {
    for (let i = 0; i < part.length && filled < ranks.length; i++)
      if (part[i] !== ignore && passed++ === ranks[filled]) positions[filled++] = first + i;
  };
  return { positions: { voxels, positions }, add };
}

/** The voxels of a class that are kept. */
interface KeptVoxels {
  /** Which of all its voxels they are. */
  readonly ranks: Uint32Array;
  readonly positions: Uint32Array;
  /** How many positions are there. */
  filled: number;
}

/** By value. */
interface Found {
  readonly kept: ReadonlyMap<number, KeptVoxels>;
  /** Voxels of a class so far. */
  readonly passed: Uint32Array;
  /** The rank that is kept next; more than there are when all are there. */
  readonly awaited: Uint32Array;
}

// The loops are functions of their own, since V8 compiles a closure anew for every label. Their readings are
// not checked: that takes 5 and 10 % longer.

function countValues(part: ArrayLike<number>, counts: Uint32Array): void {
  for (let i = 0; i < part.length; i++) if (part[i] !== 0) counts[part[i]!]!++;
}

function notePositions(part: ArrayLike<number>, first: number, { kept, passed, awaited }: Found): void {
  for (let i = 0; i < part.length; i++) {
    const value = part[i]!;
    if (value === 0 || passed[value]!++ !== awaited[value]) continue;
    awaited[value] = keepPosition(kept, value, first + i);
  }
}

/** Keeps a position. Returns the rank that is kept next. */
function keepPosition(found: Found['kept'], value: number, position: number): number {
  const kept = found.get(value);
  if (!kept)
    throw new WorkError(`class ${value} of a label was not counted before its positions were noted`, {
      found: value,
    });
  kept.positions[kept.filled++] = position;
  return kept.filled < kept.ranks.length ? uint32At(kept.ranks, kept.filled) : noRank;
}

/** More than a label has voxels. */
const noRank = 2 ** 32 - 1;

/** Rising, each rank once: one from each of `most` runs, none of which is empty. */
function drawRanks(value: number, count: number, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, rank) => rank);
  const stream = randomStream(0, 'crop', value);
  const runStart = (k: number) => Math.floor((k * count) / most);
  return Uint32Array.from(
    { length: most },
    (_, k) => runStart(k) + stream.integer(runStart(k + 1) - runStart(k)),
  );
}
