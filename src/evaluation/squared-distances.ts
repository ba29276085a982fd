import { doubleAt, intAt } from '../at.js';
import type { Triple } from '../volume/index.js';
import { axisBounds } from './axis-bounds.js';
import { emptyEnvelope, lowerEnvelope } from './lower-envelope.js';
import { everywhere, type Needed, neededBlocks, windowsOf } from './needed-blocks.js';

/**
 * Squared distance in mm^2 from each voxel of `at` to the nearest of `seeds`, exact, in time linear in the
 * voxels of the box: distances in voxels along x by two scans, then one lower envelope of parabolas a line
 * along y and along z (Felzenszwalb & Huttenlocher 2012; Meijster et al. 2000). Between the two the nearest
 * seed is kept as whole numbers of voxels along x and y, so that nothing is rounded on the way and a voxel
 * costs four bytes. Where `at` lies near the seeds, as surfaces mostly do, only what lies between them is
 * computed.
 * @param size voxels of the box along [x, y, z], each below 65,535
 * @param seeds indices of at least one voxel, x fastest, rising
 * @param at indices of voxels, rising
 * @param spacing mm along [x, y, z]
 * @param scratch at least a number a voxel of the box, of any content, so that several calls can share it
 */
export function squaredDistances(
  size: Triple,
  seeds: Int32Array,
  at: Int32Array,
  spacing: Triple,
  scratch = new Uint32Array(size[0] * size[1] * size[2]),
): Float64Array {
  const slices = seededSlices(size, seeds);
  const bounds = axisBounds(size, seeds, at, spacing);
  const needed = neededBlocks(size, slices, at, bounds, spacing) ?? everywhere(size, slices.length);
  const alongX = Float64Array.from({ length: size[0] + 1 }, (_, voxels) =>
    voxels === size[0] ? Number.POSITIVE_INFINITY : (voxels * spacing[0]) ** 2,
  );
  const alongY = Float64Array.from({ length: size[1] }, (_, voxels) => (voxels * spacing[1]) ** 2);
  nearestInSlices(size, seeds, slices.length, needed, alongX, spacing[1] ** 2, scratch);
  const inSlice = { nearest: scratch, alongX, alongY };
  const byColumn = orderByColumn(size, at);
  return needed.all
    ? fromAllSlices(size, slices, at, byColumn, inSlice, spacing[2])
    : fromNearSlices(size, slices, at, byColumn, inSlice, spacing[2], bounds);
}

function seededSlices([nx, ny, nz]: Triple, seeds: Int32Array): Int32Array {
  const seeded = new Uint8Array(nz);
  for (let k = 0; k < seeds.length; k++) seeded[Math.floor(intAt(seeds, k) / (nx * ny))] = 1;
  return Int32Array.from([...seeded.keys()].filter((z) => seeded[z] === 1));
}

/**
 * Writes into `nearest`, at y + ny * (x + nx * number of the seeded slice) where it is needed: voxels along y
 * (high 16 bits) and along x (low 16 bits) to the nearest seed of that slice; `nx` along x where none is in
 * reach.
 */
function nearestInSlices(
  [nx, ny]: Triple,
  seeds: Int32Array,
  slices: number,
  needed: Needed,
  alongX: Float64Array,
  scaleY: number,
  nearest: Uint32Array,
): void {
  const offsets = new Uint16Array(nx * ny);
  const rows = new Int32Array(ny);
  const rowsBefore = new Int32Array(ny + 1); // seeded rows below y
  const values = new Float64Array(ny);
  const envelope = emptyEnvelope(ny);
  let seed = 0;
  for (let slice = 0; slice < slices; slice++) {
    const z = Math.floor(intAt(seeds, seed) / (nx * ny));
    let seededRows = 0;
    for (let y = 0; y < ny; y++) {
      rowsBefore[y] = seededRows;
      const start = nx * (y + ny * z);
      if (seed >= seeds.length || intAt(seeds, seed) >= start + nx) continue;
      seed = offsetsInRow(nx, seeds, seed, start, offsets);
      rows[seededRows++] = y;
    }
    rowsBefore[ny] = seededRows;
    for (let x = 0; x < nx; x++) {
      const column = ny * (x + nx * slice);
      const windows = windowsOf(needed, x + nx * slice);
      for (let w = 0; w < windows.count; w++) {
        // Reads without checks in this loop: with them far surfaces take a tenth longer.
        const from = windows.from[w]!;
        const to = windows.to[w]!;
        const reach = windows.reach[w]!;
        const first = rowsBefore[Math.max(0, from - reach)]!;
        const end = rowsBefore[Math.min(ny, to + reach)]!;
        if (first === end) {
          nearest.fill(nx, column + from, column + to);
          continue;
        }
        for (let r = first; r < end; r++) values[r] = alongX[offsets[x + nx * rows[r]!]!]!;
        const last = lowerEnvelope(values, rows, first, end, scaleY, envelope);
        for (let y = from, current = 0; y < to; y++) {
          while (current < last && envelope.bounds[current + 1]! < y) current++;
          const row = rows[envelope.sites[current]!]!;
          nearest[column + y] = (Math.abs(y - row) << 16) | offsets[x + nx * row]!;
        }
      }
    }
  }
  /**
   * Writes voxels along x to the nearest seed of a row that has some; returns the position of the next row's
   * first seed.
   */
  function offsetsInRow(
    nx: number,
    seeds: Int32Array,
    first: number,
    start: number,
    offsets: Uint16Array,
  ): number {
    const row = start % offsets.length;
    let next = first;
    let before = -nx; // no seed before it is nearer than any after it
    let x = 0;
    while (next < seeds.length && intAt(seeds, next) < start + nx) {
      const at = intAt(seeds, next++) - start;
      for (const middle = (before + at) >> 1; x <= middle; x++) offsets[row + x] = x - before;
      for (; x <= at; x++) offsets[row + x] = at - x;
      before = at;
    }
    for (; x < nx; x++) offsets[row + x] = x - before;
    return next;
  }
}

/** Positions in `at` by column, a column being y + ny * x, and where each column's begin. */
interface ByColumn {
  readonly starts: Int32Array;
  readonly order: Int32Array;
}

function orderByColumn([nx, ny]: Triple, at: Int32Array): ByColumn {
  const columnOf = (index: number) => (Math.floor(index / nx) % ny) + ny * (index % nx);
  const starts = new Int32Array(nx * ny + 1);
  for (let k = 0; k < at.length; k++) {
    const next = columnOf(intAt(at, k)) + 1;
    starts[next] = intAt(starts, next) + 1;
  }
  for (let column = 0; column < nx * ny; column++) {
    starts[column + 1] = intAt(starts, column + 1) + intAt(starts, column);
  }
  const next = starts.slice();
  const order = new Int32Array(at.length);
  for (let k = 0; k < at.length; k++) {
    const column = columnOf(intAt(at, k));
    const place = intAt(next, column);
    order[place] = k;
    next[column] = place + 1;
  }
  return { starts, order };
}

/** The nearest seeds of the slices, and squared distances in mm^2 by voxels along x and y. */
interface InSlice {
  readonly nearest: Uint32Array;
  readonly alongX: Float64Array;
  readonly alongY: Float64Array;
}

function squaredInSlice({ nearest, alongX, alongY }: InSlice, i: number): number {
  const voxels = nearest[i]!;
  return alongX[voxels & 0xffff]! + alongY[voxels >>> 16]!;
}

/** The least over all seeded slices, by one envelope a column. */
function fromAllSlices(
  [nx, ny]: Triple,
  slices: Int32Array,
  at: Int32Array,
  { starts, order }: ByColumn,
  inSlice: InSlice,
  mm: number,
): Float64Array {
  const distances = new Float64Array(at.length);
  const values = new Float64Array(slices.length);
  const envelope = emptyEnvelope(slices.length);
  for (let column = 0; column < nx * ny; column++) {
    if (starts[column] === starts[column + 1]) continue;
    for (let s = 0; s < slices.length; s++) values[s] = squaredInSlice(inSlice, column + nx * ny * s);
    const last = lowerEnvelope(values, slices, 0, slices.length, mm ** 2, envelope);
    for (let k = intAt(starts, column), current = 0; k < intAt(starts, column + 1); k++) {
      const query = intAt(order, k);
      const z = Math.floor(intAt(at, query) / (nx * ny));
      while (current < last && doubleAt(envelope.bounds, current + 1) < z) current++;
      const site = intAt(envelope.sites, current);
      distances[query] = doubleAt(values, site) + ((z - intAt(slices, site)) * mm) ** 2;
    }
  }
  return distances;
}

/**
 * The least over the seeded slices within each voxel's bound, nearest slices first, until none can be nearer
 * than what was found.
 */
function fromNearSlices(
  [nx, ny, nz]: Triple,
  slices: Int32Array,
  at: Int32Array,
  { order }: ByColumn,
  inSlice: InSlice,
  mm: number,
  bounds: Float64Array,
): Float64Array {
  const distances = new Float64Array(at.length);
  const slicesBelow = new Int32Array(nz); // seeded slices below z
  for (let z = 0, s = 0; z < nz; z++) {
    slicesBelow[z] = s;
    if (slices[s] === z) s++;
  }
  for (let k = 0; k < order.length; k++) {
    const query = intAt(order, k);
    const index = intAt(at, query);
    const z = Math.floor(index / (nx * ny));
    const column = (Math.floor(index / nx) % ny) + ny * (index % nx);
    let best = Number.POSITIVE_INFINITY;
    let up = intAt(slicesBelow, z);
    let down = up - 1;
    const bound = doubleAt(bounds, query) ** 2 * (1 + 1e-12);
    for (;;) {
      const above = up < slices.length ? intAt(slices, up) - z : nz;
      const below = down >= 0 ? z - intAt(slices, down) : nz;
      const across = Math.min(above, below);
      const acrossSquared = (across * mm) ** 2;
      if (across === nz || acrossSquared > Math.min(best, bound)) break;
      const found =
        squaredInSlice(inSlice, column + nx * ny * (above <= below ? up++ : down--)) + acrossSquared;
      if (found < best) best = found;
    }
    distances[query] = best;
  }
  return distances;
}
