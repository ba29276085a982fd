import type { Triple } from '../volume/index.js';

/**
 * Squared distance in mm^2 from each voxel of `at` to the nearest of `seeds`, exact, in time linear in the voxels of the box: distances in
 * voxels along x by two scans, then one lower envelope of parabolas a line along y and along z (Felzenszwalb & Huttenlocher 2012; Meijster et
 * al. 2000). Between the two the nearest seed is kept as whole numbers of voxels along x and y, so that nothing is rounded on the way and a voxel
 * costs four bytes; slices without a seed, and columns without a voxel of `at`, cost nothing.
 * @param size voxels of the box along [x, y, z], each below 65,536
 * @param seeds indices of at least one voxel, x fastest, rising
 * @param at indices of voxels, rising
 * @param spacing mm along [x, y, z]
 */
export function squaredDistances(size: Triple, seeds: Int32Array, at: Int32Array, spacing: Triple): Float64Array {
  const [nx, ny] = size;
  const wanted = groupByColumn(size, at);
  const slices = seededSlices(size, seeds);
  const [alongX, alongY] = [squares(nx, spacing[0]), squares(ny, spacing[1])];
  const nearest = nearestInSlices(size, seeds, slices.length, wanted, alongX, spacing[1] ** 2);
  const distances = new Float64Array(at.length);
  const values = new Float64Array(slices.length);
  const envelope = emptyEnvelope(slices.length);
  const scale = spacing[2] ** 2;
  for (let column = 0; column < nx * ny; column++) {
    const [from, to] = [wanted.starts[column]!, wanted.starts[column + 1]!];
    if (from === to) continue;
    for (let s = 0, i = column; s < slices.length; s++, i += nx * ny) {
      values[s] = alongX[nearest[i]! & 0xffff]! + alongY[nearest[i]! >>> 16]!;
    }
    const last = lowerEnvelope(values, slices, slices.length, scale, envelope);
    let current = 0;
    for (let k = from; k < to; k++) {
      const query = wanted.order[k]!;
      const z = Math.floor(at[query]! / (nx * ny));
      while (current < last && envelope.bounds[current + 1]! < z) current++;
      const site = envelope.sites[current]!;
      distances[query] = values[site]! + scale * (z - slices[site]!) ** 2;
    }
  }
  return distances;
}

/** Positions in `at` ordered by column, a column being y + ny * x, and within a column by z; where each column's begin. */
interface Columns {
  readonly starts: Int32Array;
  readonly order: Int32Array;
}

function groupByColumn([nx, ny]: Triple, at: Int32Array): Columns {
  const columnOf = (index: number) => {
    const inSlice = index % (nx * ny);
    const x = inSlice % nx;
    return (inSlice - x) / nx + ny * x;
  };
  const starts = new Int32Array(nx * ny + 1);
  for (let k = 0; k < at.length; k++) starts[columnOf(at[k]!) + 1]!++;
  for (let column = 0; column < nx * ny; column++) starts[column + 1]! += starts[column]!;
  const next = starts.slice();
  const order = new Int32Array(at.length);
  for (let k = 0; k < at.length; k++) order[next[columnOf(at[k]!)]!++] = k;
  return { starts, order };
}

function seededSlices([nx, ny, nz]: Triple, seeds: Int32Array): Int32Array {
  const seeded = new Uint8Array(nz);
  for (let k = 0; k < seeds.length; k++) seeded[Math.floor(seeds[k]! / (nx * ny))] = 1;
  return Int32Array.from([...seeded.keys()].filter((z) => seeded[z] === 1));
}

const squares = (length: number, mm: number): Float64Array => Float64Array.from({ length }, (_, voxels) => (voxels * mm) ** 2);

/**
 * Of each seeded slice, for each wanted column: voxels along y (high 16 bits) and along x (low 16 bits) to the nearest seed of that slice.
 * @returns index y + ny * (x + nx * number of the seeded slice)
 */
function nearestInSlices(
  [nx, ny]: Triple,
  seeds: Int32Array,
  slices: number,
  { starts }: Columns,
  alongX: Float64Array,
  scaleY: number,
): Uint32Array {
  const nearest = new Uint32Array(nx * ny * slices);
  const offsets = new Uint16Array(nx * ny);
  const rows = new Int32Array(ny);
  const values = new Float64Array(ny);
  const envelope = emptyEnvelope(ny);
  let seed = 0;
  for (let slice = 0; slice < slices; slice++) {
    const z = Math.floor(seeds[seed]! / (nx * ny));
    let seededRows = 0;
    while (seed < seeds.length && seeds[seed]! < nx * ny * (z + 1)) {
      const y = Math.floor(seeds[seed]! / nx) - ny * z;
      seed = offsetsInRow(nx, seeds, seed, nx * (y + ny * z), offsets, y, ny);
      rows[seededRows++] = y;
    }
    for (let x = 0; x < nx; x++) {
      if (starts[ny * x] === starts[ny * (x + 1)]) continue;
      for (let r = 0; r < seededRows; r++) values[r] = alongX[offsets[rows[r]! + ny * x]!]!;
      const last = lowerEnvelope(values, rows, seededRows, scaleY, envelope);
      const column = ny * (x + nx * slice);
      for (let y = 0, current = 0; y < ny; y++) {
        while (current < last && envelope.bounds[current + 1]! < y) current++;
        const row = rows[envelope.sites[current]!]!;
        nearest[column + y] = (Math.abs(y - row) << 16) | offsets[row + ny * x]!;
      }
    }
  }
  return nearest;
}

/** Writes voxels along x to the nearest seed of a row that has some, at `y + ny * x`; returns the position of the next row's first seed. */
function offsetsInRow(nx: number, seeds: Int32Array, first: number, rowStart: number, offsets: Uint16Array, y: number, ny: number): number {
  let next = first;
  let before = Number.NEGATIVE_INFINITY;
  let x = 0;
  while (next < seeds.length && seeds[next]! < rowStart + nx) {
    const at = seeds[next++]! - rowStart;
    for (; x <= at; x++) offsets[y + ny * x] = Math.min(x - before, at - x);
    before = at;
  }
  for (; x < nx; x++) offsets[y + ny * x] = x - before;
  return next;
}

/** Which parabolas form the envelope, left to right, and from which position on each is the lowest. */
interface Envelope {
  readonly sites: Int32Array;
  readonly bounds: Float64Array;
}

const emptyEnvelope = (length: number): Envelope => ({ sites: new Int32Array(length), bounds: new Float64Array(length) });

/** The lower envelope of `values[i] + scale (k - positions[i])^2` over k, positions rising; returns the number of its last parabola. */
function lowerEnvelope(values: Float64Array, positions: Int32Array, count: number, scale: number, { sites, bounds }: Envelope): number {
  let last = 0;
  sites[0] = 0;
  bounds[0] = Number.NEGATIVE_INFINITY; // so the first parabola is never passed over by a crossing to its left
  for (let i = 1; i < count; i++) {
    const at = positions[i]!;
    for (;;) {
      const site = sites[last]!;
      const from = positions[site]!;
      const crossing = (values[i]! - values[site]!) / (2 * scale * (at - from)) + (at + from) / 2;
      if (crossing > bounds[last]!) {
        sites[++last] = i;
        bounds[last] = crossing;
        break;
      }
      last--;
    }
  }
  return last;
}
