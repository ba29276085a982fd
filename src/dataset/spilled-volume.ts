import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Triple, UprightSlices, VoxelArray } from '../volume/index.js';
import { type ChunkedFile, openChunkedFile } from './chunked-file.js';
import { arrayTypes, bytesOf, type ChunkedArray, type ChunkedHeader, chunkSide, encodeHeader } from './chunked-format.js';

/** A box of a grid. */
export interface Box {
  /** First voxel. */
  readonly start: Triple;
  readonly size: Triple;
}

/** A resampled volume that waits on disk, in chunks, while what depends on all of it is found out. */
export interface SpilledVolume {
  /** The smallest box around the voxels above the threshold in any channel; undefined when there are none. */
  readonly foreground: Box | undefined;
  /** A box from below in slabs of `chunkSide` planes, each `[c][z][y][x]`; 0 outside the volume. A slab is to be used before the next is asked for. */
  slabs(box: Box): Iterable<ChunkedArray>;
  /** Removes the file. */
  remove(): void;
}

/**
 * Writes slices that come in the order of their source, whatever axis they are stacked along, so that they can be read from below.
 * Holds one slab of chunks in memory.
 * @param file removed by `remove`, and when the slices fail
 * @param threshold of the foreground; null: everything
 */
export async function spillVolume(
  file: string,
  source: UprightSlices,
  dtype: ChunkedHeader['dtype'],
  threshold: number | null,
): Promise<SpilledVolume> {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, 'w');
  const found = boxAround(source, threshold);
  try {
    const slab = slabWriter(descriptor, headerOf(source, dtype), source);
    for await (const { channel, index, values } of source.slices()) {
      slab.add(channel, index, values);
      found.add(index, values);
    }
    slab.flush();
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  const open = openChunkedFile(file);
  return {
    foreground: found.box(),
    slabs: (box) => slabsOf(open, box),
    remove: () => {
      open.close();
      rmSync(file, { force: true });
    },
  };
}

function headerOf({ grid, channels }: UprightSlices, dtype: ChunkedHeader['dtype']): ChunkedHeader {
  const [size, spacing] = [[...grid.size], [...grid.spacing]] as [number, number, number][];
  const chunk: [number, number, number] = [chunkSide, chunkSide, chunkSide];
  return {
    dtype,
    size: size!,
    spacing: spacing!,
    affine: { rows: [...grid.affine.rows] },
    channels,
    chunk,
    steps: [],
    sources: [],
    classPositions: {},
  };
}

/** Collects slices into a slab of chunks, and writes it when another slab begins. */
function slabWriter(descriptor: number, header: ChunkedHeader, { through, across }: UprightSlices) {
  const { size, channels, dtype } = header;
  const start = encodeHeader(header);
  const counts = size.map((n) => Math.ceil(n / chunkSide));
  const chunkVoxels = chunkSide ** 3;
  const chunkBytes = chunkVoxels * arrayTypes[dtype].BYTES_PER_ELEMENT;
  writeSync(descriptor, start);
  ftruncateSync(descriptor, start.length + counts[0]! * counts[1]! * counts[2]! * channels * chunkBytes);
  const [low, high] = [Math.min(...across), Math.max(...across)];
  const slab = new arrayTypes[dtype](counts[low]! * counts[high]! * chunkVoxels);
  /** Where in the slab the voxels along an axis lie: the offsets of the axes add up. */
  const offsets = (axis: number) => {
    const chunkStep = axis === through ? 0 : axis === low ? chunkVoxels : chunkVoxels * counts[low]!;
    return Int32Array.from({ length: size[axis]! }, (_, i) => chunkStep * Math.floor(i / chunkSide) + chunkSide ** axis * (i % chunkSide));
  };
  const [along, down, stacked] = [offsets(across[0]), offsets(across[1]), offsets(through)];
  let current: { channel: number; place: number } | undefined;
  const flush = () => {
    if (!current) return;
    const at = [0, 0, 0];
    at[through] = current.place;
    for (let k = 0; k < counts[low]! * counts[high]!; k++) {
      at[low] = k % counts[low]!;
      at[high] = Math.floor(k / counts[low]!);
      const place = at[0]! + counts[0]! * (at[1]! + counts[1]! * at[2]!);
      const bytes = bytesOf(slab.subarray(k * chunkVoxels, (k + 1) * chunkVoxels));
      writeSync(descriptor, bytes, 0, bytes.length, start.length + (place * channels + current.channel) * chunkBytes);
    }
    slab.fill(0);
  };
  const add = (channel: number, index: number, values: VoxelArray) => {
    const place = Math.floor(index / chunkSide);
    if (current?.channel !== channel || current.place !== place) flush();
    current = { channel, place };
    let from = 0;
    for (const row of down) {
      const to = row + stacked[index]!;
      for (let x = 0; x < along.length; x++) slab[to + along[x]!] = values[from++]!;
    }
  };
  return { add, flush };
}

/** The box around what is above a threshold, slice by slice. */
function boxAround({ grid: { size }, across, through }: UprightSlices, threshold: number | null) {
  const low = [...size];
  const high = [-1, -1, -1];
  const include = (axis: number, at: number) => {
    if (at < low[axis]!) low[axis] = at;
    if (at > high[axis]!) high[axis] = at;
  };
  const [width, rows] = [size[across[0]]!, size[across[1]]!];
  const add = (index: number, values: VoxelArray) => {
    if (threshold === null) return;
    for (let row = 0; row < rows; row++) {
      const start = row * width;
      let first = 0;
      while (first < width && !(values[start + first]! > threshold)) first++;
      if (first === width) continue;
      let last = width - 1;
      while (!(values[start + last]! > threshold)) last--;
      include(across[0], first);
      include(across[0], last);
      include(across[1], row);
      include(through, index);
    }
  };
  const box = (): Box | undefined => {
    if (threshold === null) return { start: [0, 0, 0], size };
    if (high[0] === -1) return undefined;
    return { start: low as unknown as Triple, size: high.map((n, axis) => n - low[axis]! + 1) as unknown as Triple };
  };
  return { add, box };
}

function* slabsOf(open: ChunkedFile, { start: [x, y, z], size: [nx, ny, nz] }: Box): Generator<ChunkedArray> {
  const { channels, dtype } = open.header;
  const planeLength = nx * ny * channels;
  const slab = new arrayTypes[dtype](planeLength * Math.min(chunkSide, nz));
  for (let plane = 0; plane < nz; plane += chunkSide) {
    const planes = Math.min(chunkSide, nz - plane);
    yield open.readBox([x, y, z + plane], [nx, ny, planes], slab.subarray(0, planes * planeLength));
  }
}
