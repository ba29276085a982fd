import { itemAt } from '../../at.js';
import type { Triple, VoxelArray } from '../../volume/index.js';

/** Voxels of one class that touch one another, over faces, edges or corners (26 neighbours). */
export interface LabelPart {
  readonly value: number;
  readonly voxels: number;
  /** Sums of each weighting over the voxels. */
  readonly weighed: readonly number[];
  /** The first voxel in the order of the label, [x, y, z]. */
  readonly first: Triple;
}

/** What the voxels of a label count: the product of a number along each axis. */
export type VoxelWeights = readonly [x: ArrayLike<number>, y: ArrayLike<number>, z: ArrayLike<number>];

/** A slice of up to four bytes a voxel. */
export type LabelSlice = Exclude<VoxelArray, Float64Array>;

/** Takes the slices of a label from the first to the last. */
export interface PartFinder {
  add(slice: LabelSlice): void;
  /** Tells the parts that reach the last slice. Nothing may be added any more. */
  end(): void;
  /** The box of all labelled voxels, first and last; undefined while there is none. */
  box(): { readonly first: Triple; readonly last: Triple } | undefined;
}

/**
 * Finds the connected parts of a label slice by slice, by union-find over runs of voxels. Holds the runs of two
 * slices and the parts that reach the last one: a part is told as soon as it cannot grow.
 * @param size voxels of a row and rows of a slice
 * @param weights as many weightings as `LabelPart.weighed` is to have
 * @param onPart is told each part once
 */
export function partFinder(
  [width, height]: readonly [number, number],
  weights: readonly VoxelWeights[],
  onPart: (part: LabelPart) => void,
): PartFinder {
  const sums = weights.map(([x]) => runningSums(x, width));
  let above = emptySlice(height);
  let open: OpenParts = emptyParts(weights.length);
  let z = 0;
  const low: [number, number, number] = [width, height, Number.POSITIVE_INFINITY];
  const high: [number, number, number] = [-1, -1, -1];
  const include = ({ first, last, rows }: SliceRuns) => {
    for (let y = 0; y < height; y++) {
      const [from, to] = [itemAt(rows, y), itemAt(rows, y + 1)];
      if (from === to) continue;
      low[0] = Math.min(low[0], itemAt(first, from));
      high[0] = Math.max(high[0], itemAt(last, to - 1));
      low[1] = Math.min(low[1], y);
      high[1] = Math.max(high[1], y);
    }
    if (first.length === 0) return;
    low[2] = Math.min(low[2], z);
    high[2] = z;
  };
  const add = (slice: LabelSlice) => {
    const here = runsOf(slice, width, height);
    include(here);
    addRuns(open, here, sums, weights, z);
    for (let y = 0; y < height; y++) {
      if (y > 0) joinRows(open, here, y, here, y - 1);
      for (let of = Math.max(0, y - 1); of <= Math.min(height - 1, y + 1); of++)
        joinRows(open, here, y, above, of);
    }
    open = tellFinished(open, here, onPart);
    above = here;
    z++;
  };
  return {
    add,
    end: () => {
      tellFinished(open, emptySlice(height), onPart);
      open = emptyParts(weights.length);
    },
    box: () => (high[0] === -1 ? undefined : { first: low, last: high }),
  };
}

/** Runs of one value in the rows of a slice: those of row `y` are `rows[y]` to `rows[y + 1]`. */
interface SliceRuns {
  readonly first: number[];
  readonly last: number[];
  readonly value: number[];
  /** The part that a run belongs to, an index into `OpenParts`. */
  readonly part: number[];
  readonly rows: number[];
}

const emptySlice = (height: number): SliceRuns => {
  return { first: [], last: [], value: [], part: [], rows: new Array<number>(height + 1).fill(0) };
};

/** Parts that may grow, and what was joined to them; the root of a part has its sums. */
interface OpenParts {
  readonly parent: number[];
  readonly value: number[];
  readonly voxels: number[];
  /** One array a weighting. */
  readonly weighed: readonly number[][];
  readonly place: Triple[];
}

const emptyParts = (weightings: number): OpenParts => {
  return {
    parent: [],
    value: [],
    voxels: [],
    weighed: Array.from({ length: weightings }, () => []),
    place: [],
  };
};

/** Sums of the first 0, 1, 2, ... numbers. */
function runningSums(numbers: ArrayLike<number>, count: number): Float64Array {
  const sums = new Float64Array(count + 1);
  for (let i = 0; i < count; i++) sums[i + 1] = sums[i]! + numbers[i]!;
  return sums;
}

// The loops over voxels are functions of their own, and their readings are not checked, as in `classFinder`.

function runsOf(slice: LabelSlice, width: number, height: number): SliceRuns {
  const runs: SliceRuns = { first: [], last: [], value: [], part: [], rows: [0] };
  const perWord = 4 / slice.BYTES_PER_ELEMENT;
  const whole = slice.byteOffset % 4 === 0 ? Math.floor(slice.length / perWord) : 0;
  const words = new Int32Array(slice.buffer, whole > 0 ? slice.byteOffset : 0, whole);
  for (let y = 0; y < height; y++) {
    const [start, end] = [y * width, (y + 1) * width];
    let i = start;
    while (i < end) {
      // Most of a label is background: four bytes of it are passed at once.
      if (i % perWord === 0) while (i + perWord <= end && words[i / perWord] === 0) i += perWord;
      if (i >= end) break;
      const value = slice[i]!;
      if (value === 0) {
        i++;
        continue;
      }
      const first = i;
      while (i < end && slice[i] === value) i++;
      runs.first.push(first - start);
      runs.last.push(i - 1 - start);
      runs.value.push(value);
    }
    runs.rows.push(runs.first.length);
  }
  return runs;
}

/** Makes each run a part of its own. */
function addRuns(
  open: OpenParts,
  runs: SliceRuns,
  sums: readonly Float64Array[],
  weights: readonly VoxelWeights[],
  z: number,
): void {
  for (let y = 0; y + 1 < runs.rows.length; y++) {
    for (let run = runs.rows[y]!; run < runs.rows[y + 1]!; run++) {
      const [first, last] = [runs.first[run]!, runs.last[run]!];
      runs.part.push(open.parent.length);
      open.parent.push(open.parent.length);
      open.value.push(runs.value[run]!);
      open.voxels.push(last - first + 1);
      open.place.push([first, y, z]);
      for (let w = 0; w < weights.length; w++) {
        const [, alongY, alongZ] = weights[w]!;
        open.weighed[w]!.push((sums[w]![last + 1]! - sums[w]![first]!) * alongY[y]! * alongZ[z]!);
      }
    }
  }
}

/** Joins the parts of runs of two rows that touch, corners included. */
function joinRows(open: OpenParts, a: SliceRuns, y: number, b: SliceRuns, of: number): void {
  let [i, j] = [a.rows[y]!, b.rows[of]!];
  const [endA, endB] = [a.rows[y + 1]!, b.rows[of + 1]!];
  const joinIfTouching = (one: number, other: number) => {
    if (one === endA || other === endB || a.value[one] !== b.value[other]) return;
    if (a.first[one]! <= b.last[other]! + 1 && b.first[other]! <= a.last[one]! + 1)
      join(open, a.part[one]!, b.part[other]!);
  };
  while (i < endA && j < endB) {
    joinIfTouching(i, j);
    const ahead = a.last[i]! - b.last[j]!;
    if (ahead === 0) {
      // The next run of another value may begin right behind, and touch the other row's by a corner.
      joinIfTouching(i + 1, j);
      joinIfTouching(i, j + 1);
    }
    if (ahead <= 0) i++;
    if (ahead >= 0) j++;
  }
}

function rootOf({ parent }: OpenParts, part: number): number {
  let root = part;
  while (parent[root] !== root) root = parent[root]!;
  for (let next = part; parent[next] !== root; ) {
    const up = parent[next]!;
    parent[next] = root;
    next = up;
  }
  return root;
}

function join(open: OpenParts, a: number, b: number): void {
  const [one, other] = [rootOf(open, a), rootOf(open, b)];
  if (one === other) return;
  const [root, child] = one < other ? [one, other] : [other, one];
  open.parent[child] = root;
  if (isBefore(open.place[child]!, open.place[root]!)) open.place[root] = open.place[child]!;
  open.voxels[root] = open.voxels[root]! + open.voxels[child]!;
  for (const sums of open.weighed) sums[root] = sums[root]! + sums[child]!;
}

const isBefore = (a: Triple, b: Triple): boolean =>
  a[2] !== b[2] ? a[2] < b[2] : a[1] !== b[1] ? a[1] < b[1] : a[0] < b[0];

/** Tells the parts that have no run in the last slice. Returns the others, which those runs then belong to. */
function tellFinished(open: OpenParts, last: SliceRuns, onPart: (part: LabelPart) => void): OpenParts {
  const kept = emptyParts(open.weighed.length);
  const places = new Map<number, number>();
  for (let run = 0; run < last.part.length; run++) {
    const root = rootOf(open, last.part[run]!);
    let place = places.get(root);
    if (place === undefined) {
      place = kept.parent.length;
      places.set(root, place);
      kept.parent.push(place);
      kept.value.push(open.value[root]!);
      kept.voxels.push(open.voxels[root]!);
      kept.place.push(open.place[root]!);
      for (let w = 0; w < open.weighed.length; w++) kept.weighed[w]!.push(open.weighed[w]![root]!);
    }
    last.part[run] = place;
  }
  for (let part = 0; part < open.parent.length; part++) {
    if (open.parent[part] !== part || places.has(part)) continue;
    onPart({
      value: open.value[part]!,
      voxels: open.voxels[part]!,
      weighed: open.weighed.map((sums) => sums[part]!),
      first: open.place[part]!,
    });
  }
  return kept;
}
