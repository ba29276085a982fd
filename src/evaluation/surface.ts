import { intAt } from '../at.js';
import type { Box } from './box.js';
import type { Runs } from './runs.js';

/**
 * A region's surface: voxels inside with one of six neighbours outside; what lies beyond the volume is
 * outside. Found from the ends of runs, in time that depends on the runs and the surface, not on the volume.
 * @param box holds the whole region
 * @param rows of a plane of the volume: its ny
 * @returns indices in the box, x fastest, rising
 */
export function surfaceVoxels(
  { values }: Runs,
  { start, size: [nx, ny, nz] }: Box,
  rows: number,
): Int32Array {
  const surface = new IndexList();
  const rowInBox = (row: number) => (row % rows) - start[1] + ny * (Math.floor(row / rows) - start[2]);
  // Where the runs of each row of the box begin; the rows just before and after the box are there and empty.
  const margin = ny;
  const firsts = new Int32Array(ny * nz + 2 * margin + 1);
  for (let i = 0; i < values.length; i += 3) {
    const after = rowInBox(intAt(values, i)) + margin + 1;
    firsts[after] = intAt(firsts, after) + 3;
  }
  for (let row = 0; row + 1 < firsts.length; row++)
    firsts[row + 1] = intAt(firsts, row + 1) + intAt(firsts, row);
  const next = new Int32Array(4);
  const ends = new Int32Array(4);
  for (let row = 0; row < ny * nz; row++) {
    const from = intAt(firsts, row + margin);
    const to = intAt(firsts, row + margin + 1);
    if (from === to) continue;
    const y = row % ny;
    // A neighbour in the next plane's row would be no neighbour, so at the box's faces along y there is none.
    setNeighbour(0, y > 0 ? row - 1 : -margin);
    setNeighbour(1, y < ny - 1 ? row + 1 : -margin);
    setNeighbour(2, row - ny);
    setNeighbour(3, row + ny);
    const origin = nx * row - start[0];
    for (let i = from; i < to; i += 3) addRun(intAt(values, i + 1), intAt(values, i + 2), origin);
  }
  return surface.values();

  function setNeighbour(n: number, row: number): void {
    next[n] = intAt(firsts, row + margin);
    ends[n] = intAt(firsts, row + margin + 1);
  }

  /** The ends of a run, and of what is between them the voxels that not all four neighbouring rows cover. */
  function addRun(first: number, last: number, origin: number): void {
    surface.add(origin + first, origin + first);
    for (let x = first + 1; x < last; ) {
      let coveredTo = last - 1;
      let openTo = x - 1;
      for (let n = 0; n < 4; n++) {
        const end = intAt(ends, n);
        let run = intAt(next, n);
        while (run < end && intAt(values, run + 2) < x) run += 3;
        next[n] = run;
        const start = run < end ? intAt(values, run + 1) : last;
        if (run < end && start <= x) coveredTo = Math.min(coveredTo, intAt(values, run + 2));
        else openTo = Math.max(openTo, Math.min(last, start) - 1);
      }
      if (openTo >= x) surface.add(origin + x, origin + openTo);
      x = Math.max(openTo >= x ? openTo : coveredTo, x) + 1;
    }
    if (last > first) surface.add(origin + last, origin + last);
  }
}

/** A list of indices that grows. */
class IndexList {
  private indices = new Int32Array(1024);
  private filled = 0;

  /** Adds all from `first` to `last`. */
  add(first: number, last: number): void {
    const end = this.filled + last - first + 1;
    if (end > this.indices.length) {
      const larger = new Int32Array(Math.max(2 * this.indices.length, end));
      larger.set(this.indices);
      this.indices = larger;
    }
    for (let index = first; index <= last; index++) this.indices[this.filled++] = index;
  }

  values(): Int32Array {
    return this.indices.slice(0, this.filled);
  }
}
