import { doubleAt, intAt } from '../at.js';
import type { Triple } from '../volume/index.js';

/**
 * A first bound on the distance in mm from each voxel of `at` to the nearest of `seeds`: to the nearest on
 * the three lines along the axes through it, infinite when none of them meets a seed. One sweep over both
 * lists each way.
 * @param seeds indices, x fastest, rising; `at` likewise
 * @param spacing mm along [x, y, z]
 */
export function axisBounds(
  [nx, ny]: Triple,
  seeds: Int32Array,
  at: Int32Array,
  spacing: Triple,
): Float64Array {
  const bounds = new Float64Array(at.length).fill(Number.POSITIVE_INFINITY);
  const plane = nx * ny;
  const lastInColumn = new Int32Array(plane); // the seed met last at this x and y, plus one
  const lastInX = new Int32Array(nx); // the seed met last at this x, plus one

  const lower = (k: number, last: number) => {
    const index = intAt(at, k);
    const inSlice = index % plane;
    const x = index % nx;
    let bound = doubleAt(bounds, k);
    const inColumn = intAt(lastInColumn, inSlice) - 1;
    if (inColumn >= 0) bound = Math.min(bound, (Math.abs(index - inColumn) / plane) * spacing[2]);
    const inX = intAt(lastInX, x) - 1;
    if (inX >= 0 && Math.floor(inX / plane) === Math.floor(index / plane))
      bound = Math.min(bound, (Math.abs(index - inX) / nx) * spacing[1]);
    if (last >= 0 && Math.floor(last / nx) === Math.floor(index / nx))
      bound = Math.min(bound, Math.abs(index - last) * spacing[0]);
    bounds[k] = bound;
  };
  const meet = (seed: number) => {
    lastInColumn[seed % plane] = seed + 1;
    lastInX[seed % nx] = seed + 1;
  };

  for (let k = 0, s = 0; k < at.length; k++) {
    const index = intAt(at, k);
    while (s < seeds.length && intAt(seeds, s) <= index) meet(intAt(seeds, s++));
    lower(k, s > 0 ? intAt(seeds, s - 1) : -1);
  }
  lastInColumn.fill(0);
  lastInX.fill(0);
  for (let k = at.length - 1, s = seeds.length - 1; k >= 0; k--) {
    const index = intAt(at, k);
    while (s >= 0 && intAt(seeds, s) >= index) meet(intAt(seeds, s--));
    lower(k, s < seeds.length - 1 ? intAt(seeds, s + 1) : -1);
  }
  return bounds;
}
