import { itemAt } from '../at.js';
import type { Triple, VoxelArray } from '../volume/index.js';
import { Runs } from './runs.js';

/** A region in two label volumes of one grid: how many voxels, and where. */
export interface Overlap {
  readonly predicted: number;
  readonly present: number;
  readonly both: number;
  readonly prediction: Runs;
  readonly reference: Runs;
}

/**
 * What each region takes up in a prediction and a reference, in one pass over both.
 * @param regions the label values that make up each; a value may belong to several
 */
export function overlaps(
  size: Triple,
  prediction: VoxelArray,
  reference: VoxelArray,
  regions: readonly (readonly number[])[],
): Overlap[] {
  const [nx, ny, nz] = size;
  const found = regions.map(() => ({
    predicted: 0,
    present: 0,
    both: 0,
    prediction: new Runs(),
    reference: new Runs(),
  }));
  const endOfRun = runEnder(prediction, reference);
  const ofValue = regionsByValue(regions, found);
  for (let row = 0, start = 0; row < ny * nz; row++, start += nx) {
    // A stretch of equal pairs at a time: labels are mostly long stretches, and most of them background.
    for (let i = start; i < start + nx; ) {
      const predicted = prediction[i]!;
      const present = reference[i]!;
      const from = i;
      i = endOfRun(i + 1, start + nx, predicted, present);
      if (predicted === 0 && present === 0) continue;
      const first = from - start;
      const last = i - 1 - start;
      const there = ofValue(present);
      for (const region of ofValue(predicted)) {
        region.predicted += i - from;
        if (there.includes(region)) region.both += i - from;
        region.prediction.add(row, first, last);
      }
      for (const region of there) {
        region.present += i - from;
        region.reference.add(row, first, last);
      }
    }
  }
  return found;
}

/** The regions that a label value belongs to. By a table where values are small, as nearly all are. */
function regionsByValue<T>(
  regions: readonly (readonly number[])[],
  found: readonly T[],
): (value: number) => readonly T[] {
  const none: readonly T[] = [];
  const values = [...new Set(regions.flat())].filter((value) => value !== 0);
  const having = (value: number) => found.filter((_, i) => itemAt(regions, i).includes(value));
  const byValue = new Map(values.map((value) => [value, having(value)]));
  const largest = Math.max(0, ...values);
  if (largest > largestInTable) return (value) => byValue.get(value) ?? none;
  const table = Array.from({ length: largest + 1 }, (_, value) => byValue.get(value) ?? none);
  return (value) => table[value] ?? none;
}

/** A table up to an atlas id such as 312782574 would not fit into memory. */
const largestInTable = 65_535;

/**
 * Finds, from a voxel on and before `end`, the first where the pair of values is another; four voxels at a
 * time where labels are bytes.
 */
function runEnder(
  prediction: VoxelArray,
  reference: VoxelArray,
): (from: number, end: number, predicted: number, present: number) => number {
  const [fourPredicted, fourPresent] = [byFour(prediction), byFour(reference)];
  return (from, end, predicted, present) => {
    let i = from;
    if (fourPredicted && fourPresent) {
      while (i < end && i % 4 !== 0 && prediction[i] === predicted && reference[i] === present) i++;
      if (i % 4 === 0) {
        const [allPredicted, allPresent] = [predicted * 0x01010101, present * 0x01010101];
        let four = i / 4;
        while (
          4 * four + 4 <= end &&
          fourPredicted[four] === allPredicted &&
          fourPresent[four] === allPresent
        )
          four++;
        i = 4 * four;
      }
    }
    while (i < end && prediction[i] === predicted && reference[i] === present) i++;
    return i;
  };
}

function byFour(data: VoxelArray): Uint32Array | undefined {
  return data instanceof Uint8Array && data.byteOffset % 4 === 0
    ? new Uint32Array(data.buffer, data.byteOffset, data.length >> 2)
    : undefined;
}
