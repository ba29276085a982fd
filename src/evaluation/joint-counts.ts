import type { Triple, VoxelArray } from '../volume/index.js';
import { type Box, boxAround, emptyExtent, extendByRun } from './box.js';

/** How often, and where, values of two volumes of one grid meet. */
export interface JointCounts {
  /** Voxels of the region that some values make up. */
  of(values: readonly number[]): RegionCounts;
}

export interface RegionCounts {
  readonly predicted: number;
  readonly present: number;
  readonly overlap: number;
  /** Around both; undefined when both are empty. */
  readonly box: Box | undefined;
}

/**
 * Counts, in one pass over two label volumes, what every region made of some values needs.
 * @param values those that are asked for later; all others count as background
 */
export function jointCounts(size: Triple, prediction: VoxelArray, reference: VoxelArray, values: readonly number[]): JointCounts {
  const [nx, ny, nz] = size;
  const known = [...new Set(values)];
  const numberOf = numbersByValue(known);
  const kinds = known.length + 1; // 0 for background
  const counts = new Float64Array(kinds * kinds);
  const extents = Array.from({ length: kinds }, emptyExtent);
  for (let z = 0, row = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++, row += nx) {
      // A run of equal pairs at a time: labels are mostly runs, and most of them background.
      for (let x = 0; x < nx; ) {
        const [predicted, present] = [prediction[row + x]!, reference[row + x]!];
        const from = x++;
        while (x < nx && prediction[row + x] === predicted && reference[row + x] === present) x++;
        const [p, r] = [numberOf[predicted] ?? 0, numberOf[present] ?? 0];
        counts[p * kinds + r]! += x - from;
        if (p) extendByRun(extents[p]!, from, x - 1, y, z);
        if (r && r !== p) extendByRun(extents[r]!, from, x - 1, y, z);
      }
    }
  }
  return { of: (wanted) => regionCounts([...new Set(wanted)].map((value) => known.indexOf(value) + 1)) };

  function regionCounts(numbers: readonly number[]): RegionCounts {
    let [predicted, present, overlap] = [0, 0, 0];
    for (const number of numbers) {
      for (let other = 0; other < kinds; other++) {
        predicted += counts[number * kinds + other]!;
        present += counts[other * kinds + number]!;
        if (numbers.includes(other)) overlap += counts[number * kinds + other]!;
      }
    }
    return { predicted, present, overlap, box: boxAround(numbers.map((number) => extents[number]!)) };
  }
}

function numbersByValue(values: readonly number[]): Uint16Array {
  const numbers = new Uint16Array(Math.max(255, ...values) + 1);
  values.forEach((value, i) => {
    numbers[value] = i + 1;
  });
  return numbers;
}
