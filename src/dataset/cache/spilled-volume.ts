import { itemAt } from '../../at.js';
import { mapAxes, type Triple, type UprightSlices, type VoxelArray } from '../../volume/index.js';
import { openScratchFile, type ScratchFile } from '../../whole-file.js';
import { readFully } from './chunked-file.js';
import {
  arrayTypes,
  bytesOf,
  type ChunkedArray,
  type ChunkedHeader,
  chunkSide,
  copyRun,
} from './chunked-format.js';

/** A box of a grid. */
export interface Box {
  /** First voxel. */
  readonly start: Triple;
  readonly size: Triple;
}

/** A resampled volume that waits on disk while what depends on all of it is found out. */
export interface SpilledVolume {
  /** The smallest box around the voxels above the threshold in any channel; undefined when there are none. */
  readonly foreground: Box | undefined;
  /** How many voxels of each channel are above the threshold; all of them without one. */
  readonly above: readonly number[];
  /**
   * A box of the volume from below in slabs of `chunkSide` planes, each
   * `[c][z][y][x]`. A slab is to be used before the next is asked for.
   */
  slabs(box: Box): Iterable<ChunkedArray>;
  /** Removes the file. */
  remove(): void;
}

/** How many slabs are in memory at once while a case is made, garbage included: measured, rounded up. */
export const slabsHeld = 4;

/** Bytes of the largest slab that a volume of float32 is written and read in, along any axis. */
export function largestSlabBytes(size: Triple, channels: number): number {
  const chunks = mapAxes(size, (n) => Math.ceil(n / chunkSide));
  return (4 * channels * (chunks[0] * chunks[1] * chunks[2] * chunkSide ** 3)) / Math.min(...chunks);
}

/**
 * Writes slices that come in the order of their source, whatever axis they are stacked
 * along, so that they can be read from below. Holds one layer of them in memory.
 * @param file beside which they wait; what they wait in goes by `remove`, and when the slices fail
 * @param threshold of the foreground; null: everything
 */
export async function spillVolume(
  file: string,
  source: UprightSlices,
  dtype: ChunkedHeader['dtype'],
  threshold: number | null,
): Promise<SpilledVolume> {
  const scratch = openScratchFile(file);
  const { descriptor, remove } = scratch;
  try {
    const layers = layersOf(source, dtype);
    const found = foregroundOf(source, threshold);
    const writer = layerWriter(scratch, layers, source);
    for await (const { channel, index, values } of source.slices()) {
      writer.add(channel, index, values);
      found.add(channel, index, values);
    }
    writer.flush();
    return {
      foreground: found.box(),
      above: found.above,
      slabs: (box) => slabsOf(file, descriptor, layers, box),
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * How the volume lies in its file: for each channel, layers of `chunkSide` slices
 * along the axis `through` (the last is filled up), each an array `[z][y][x]`. So
 * a layer is written at once, and what a slab takes of it is contiguous.
 */
interface Layers {
  readonly size: Triple;
  readonly channels: number;
  readonly dtype: ChunkedHeader['dtype'];
  readonly through: number;
  /** Of the volume. */
  readonly count: number;
  /** Voxels of one along x, y and z. */
  readonly extent: Triple;
}

function layersOf(
  { grid: { size }, channels, through }: UprightSlices,
  dtype: ChunkedHeader['dtype'],
): Layers {
  const extent = mapAxes(size, (n, axis) => (axis === through ? chunkSide : n));
  return { size, channels, dtype, through, count: Math.ceil(itemAt(size, through) / chunkSide), extent };
}

/** Collects slices into a layer, and writes it when another begins. */
function layerWriter(
  scratch: ScratchFile,
  { dtype, through, count, extent }: Layers,
  { across: [along, down] }: UprightSlices,
) {
  const strides: Triple = [1, extent[0], extent[0] * extent[1]];
  const [step, rowStep, sliceStep] = [
    itemAt(strides, along),
    itemAt(strides, down),
    itemAt(strides, through),
  ];
  const [width, rows] = [itemAt(extent, along), itemAt(extent, down)];
  const layer = new arrayTypes[dtype](extent[0] * extent[1] * extent[2]);
  let current: { channel: number; place: number } | undefined;
  const flush = () => {
    if (!current) return;
    const bytes = bytesOf(layer);
    scratch.write(bytes, bytes.length * (current.place + count * current.channel));
  };
  const add = (channel: number, index: number, values: VoxelArray) => {
    const place = Math.floor(index / chunkSide);
    if (current?.channel !== channel || current.place !== place) flush();
    current = { channel, place };
    const start = sliceStep * (index % chunkSide);
    if (step === 1 && rowStep === width) layer.set(values, start);
    else
      for (let row = 0; row < rows; row++)
        copyStrided(values, width * row, layer, start + rowStep * row, step, width);
  };
  return { add, flush };
}

/** Copies neighbours to every `step`-th place. */
function copyStrided(
  source: VoxelArray,
  from: number,
  target: ChunkedArray,
  to: number,
  step: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) target[to + step * i] = source[from + i]!;
}

/** The box around what is above a threshold, and how much is, slice by slice. */
function foregroundOf(
  { grid: { size }, channels, across: [along, down], through }: UprightSlices,
  threshold: number | null,
) {
  const low: [number, number, number] = mapAxes(size, (n) => n);
  const high: [number, number, number] = [-1, -1, -1];
  const above = new Array<number>(channels).fill(threshold === null ? size[0] * size[1] * size[2] : 0);
  const include = (axis: number, first: number, last: number) => {
    low[axis] = Math.min(itemAt(low, axis), first);
    high[axis] = Math.max(itemAt(high, axis), last);
  };
  const [width, rows] = [itemAt(size, along), itemAt(size, down)];
  const add = (channel: number, index: number, values: VoxelArray) => {
    if (threshold === null) return;
    let [left, right, top, bottom, count] = [width, -1, rows, -1, 0];
    for (let row = 0; row < rows; row++) {
      const found = rangeAbove(values, row * width, width, threshold);
      if (found.count === 0) continue;
      count += found.count;
      left = Math.min(left, found.first);
      right = Math.max(right, found.last);
      top = Math.min(top, row);
      bottom = row;
    }
    if (count === 0) return;
    above[channel] = itemAt(above, channel) + count;
    include(along, left, right);
    include(down, top, bottom);
    include(through, index, index);
  };
  const box = (): Box | undefined => {
    if (threshold === null) return { start: [0, 0, 0], size };
    if (high[0] === -1) return undefined;
    return { start: low, size: mapAxes(high, (last, axis) => last - low[axis] + 1) };
  };
  return { above, add, box };
}

/** How many voxels of a row are above a threshold, and the places of the first and the last of them. */
function rangeAbove(values: VoxelArray, start: number, width: number, threshold: number) {
  let [first, last, count] = [width, -1, 0];
  for (let i = 0; i < width; i++) {
    if (!(values[start + i]! > threshold)) continue;
    if (count === 0) first = i;
    last = i;
    count++;
  }
  return { first, last, count };
}

function* slabsOf(
  file: string,
  descriptor: number,
  layers: Layers,
  { start, size: [nx, ny, nz] }: Box,
): Generator<ChunkedArray> {
  const { channels, dtype, extent } = layers;
  const planeLength = nx * ny * channels;
  const slab = new arrayTypes[dtype](planeLength * Math.min(chunkSide, nz));
  const rows = new arrayTypes[dtype](extent[0] * extent[1]);
  for (let plane = 0; plane < nz; plane += chunkSide) {
    const planes = Math.min(chunkSide, nz - plane);
    const box: Box = { start: [start[0], start[1], start[2] + plane], size: [nx, ny, planes] };
    for (let channel = 0; channel < channels; channel++)
      readLayers(file, descriptor, layers, channel, box, rows, slab);
    yield slab.subarray(0, planes * planeLength);
  }
}

/**
 * Fills one channel of a slab from the layers that its box touches, plane by plane.
 * @param rows holds what is read of a plane of a layer
 */
function readLayers(
  file: string,
  descriptor: number,
  { through, count, extent }: Layers,
  channel: number,
  { start, size: [nx, ny, nz] }: Box,
  rows: ChunkedArray,
  slab: ChunkedArray,
): void {
  const [width, height, depth] = extent;
  const layerLength = width * height * depth;
  const end: Triple = [start[0] + nx, start[1] + ny, start[2] + nz];
  const [firstPlane, endPlane] = [itemAt(start, through), itemAt(end, through)];
  for (let layer = Math.floor(firstPlane / chunkSide); layer * chunkSide < endPlane; layer++) {
    const origin = mapAxes(start, (_, axis) => (axis === through ? layer * chunkSide : 0));
    const [x0, y0, z0] = mapAxes(start, (first, axis) => Math.max(first, origin[axis]));
    const [x1, y1, z1] = mapAxes(end, (past, axis) => Math.min(past, origin[axis] + extent[axis]));
    for (let z = z0; z < z1; z++) {
      const first =
        layerLength * (layer + count * channel) + width * (y0 - origin[1] + height * (z - origin[2]));
      readFully(file, descriptor, rows.subarray(0, width * (y1 - y0)), rows.BYTES_PER_ELEMENT * first);
      for (let y = y0; y < y1; y++) {
        const to = x0 - start[0] + nx * (y - start[1] + ny * (z - start[2] + nz * channel));
        const from = width * (y - y0) + x0 - origin[0];
        if (through === 0) copyRun(rows, from, slab, to, x1 - x0);
        else slab.set(rows.subarray(from, from + x1 - x0), to);
      }
    }
  }
}
