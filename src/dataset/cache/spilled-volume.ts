import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Triple, UprightSlices, VoxelArray } from '../../volume/index.js';
import { readFully } from './chunked-file.js';
import { arrayTypes, bytesOf, type ChunkedArray, type ChunkedHeader, chunkSide, copyRun } from './chunked-format.js';

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
  /** A box of the volume from below in slabs of `chunkSide` planes, each `[c][z][y][x]`. A slab is to be used before the next is asked for. */
  slabs(box: Box): Iterable<ChunkedArray>;
  /** Removes the file. */
  remove(): void;
}

/**
 * Writes slices that come in the order of their source, whatever axis they are stacked along, so that they can be read from below.
 * Holds one layer of them in memory.
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
  const descriptor = openSync(file, 'w+');
  const remove = () => {
    closeSync(descriptor);
    rmSync(file, { force: true });
  };
  try {
    const layers = layersOf(source, dtype);
    const found = foregroundOf(source, threshold);
    const writer = layerWriter(descriptor, layers, source);
    for await (const { channel, index, values } of source.slices()) {
      writer.add(channel, index, values);
      found.add(channel, index, values);
    }
    writer.flush();
    return { foreground: found.box(), above: found.above, slabs: (box) => slabsOf(file, descriptor, layers, box), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * How the volume lies in its file: for each channel, layers of `chunkSide` slices along the axis `through` (the last is filled up), each an array
 * `[z][y][x]`. So a layer is written at once, and what a slab takes of it is contiguous.
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

function layersOf({ grid: { size }, channels, through }: UprightSlices, dtype: ChunkedHeader['dtype']): Layers {
  const extent = size.map((n, axis) => (axis === through ? chunkSide : n)) as unknown as Triple;
  return { size, channels, dtype, through, count: Math.ceil(size[through]! / chunkSide), extent };
}

/** Collects slices into a layer, and writes it when another begins. */
function layerWriter(descriptor: number, { dtype, through, count, extent }: Layers, { across }: UprightSlices) {
  const strides = [1, extent[0], extent[0] * extent[1]];
  const [step, rowStep, sliceStep] = [strides[across[0]]!, strides[across[1]]!, strides[through]!];
  const [width, rows] = [extent[across[0]]!, extent[across[1]]!];
  const layer = new arrayTypes[dtype](extent[0] * extent[1] * extent[2]);
  let current: { channel: number; place: number } | undefined;
  const flush = () => {
    if (!current) return;
    const bytes = bytesOf(layer);
    writeFully(descriptor, bytes, bytes.length * (current.place + count * current.channel));
  };
  const add = (channel: number, index: number, values: VoxelArray) => {
    const place = Math.floor(index / chunkSide);
    if (current?.channel !== channel || current.place !== place) flush();
    current = { channel, place };
    const start = sliceStep * (index % chunkSide);
    if (step === 1 && rowStep === width) layer.set(values, start);
    else for (let row = 0; row < rows; row++) spread(values, width * row, layer, start + rowStep * row, step, width);
  };
  return { add, flush };
}

function spread(source: VoxelArray, from: number, target: ChunkedArray, to: number, step: number, count: number): void {
  for (let i = 0; i < count; i++) target[to + step * i] = source[from + i]!;
}

/** The box around what is above a threshold, and how much is, slice by slice. */
function foregroundOf({ grid: { size }, channels, across, through }: UprightSlices, threshold: number | null) {
  const low = [...size];
  const high = [-1, -1, -1];
  const above = new Array<number>(channels).fill(threshold === null ? size[0] * size[1] * size[2] : 0);
  const include = (axis: number, at: number) => {
    if (at < low[axis]!) low[axis] = at;
    if (at > high[axis]!) high[axis] = at;
  };
  const [width, rows] = [size[across[0]]!, size[across[1]]!];
  const add = (channel: number, index: number, values: VoxelArray) => {
    if (threshold === null) return;
    for (let row = 0; row < rows; row++) {
      const start = row * width;
      const count = countAbove(values, start, width, threshold);
      if (count === 0) continue;
      above[channel]! += count;
      let first = 0;
      while (!(values[start + first]! > threshold)) first++;
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
  return { above, add, box };
}

function countAbove(values: VoxelArray, start: number, width: number, threshold: number): number {
  let count = 0;
  for (let i = start; i < start + width; i++) if (values[i]! > threshold) count++;
  return count;
}

function* slabsOf(file: string, descriptor: number, layers: Layers, { start, size: [nx, ny, nz] }: Box): Generator<ChunkedArray> {
  const { channels, dtype, extent } = layers;
  const planeLength = nx * ny * channels;
  const slab = new arrayTypes[dtype](planeLength * Math.min(chunkSide, nz));
  const rows = new arrayTypes[dtype](extent[0] * extent[1]);
  for (let plane = 0; plane < nz; plane += chunkSide) {
    const planes = Math.min(chunkSide, nz - plane);
    const box: Box = { start: [start[0], start[1], start[2] + plane], size: [nx, ny, planes] };
    for (let channel = 0; channel < channels; channel++) readLayers(file, descriptor, layers, channel, box, rows, slab);
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
  const end = [start[0] + nx, start[1] + ny, start[2] + nz];
  for (let layer = Math.floor(start[through]! / chunkSide); layer * chunkSide < end[through]!; layer++) {
    const origin = [0, 0, 0];
    origin[through] = layer * chunkSide;
    const [x0, y0, z0] = start.map((first, axis) => Math.max(first, origin[axis]!)) as [number, number, number];
    const [x1, y1, z1] = end.map((past, axis) => Math.min(past, origin[axis]! + extent[axis]!)) as [number, number, number];
    for (let z = z0; z < z1; z++) {
      const first = layerLength * (layer + count * channel) + width * (y0 - origin[1]! + height * (z - origin[2]!));
      readFully(file, descriptor, rows.subarray(0, width * (y1 - y0)), rows.BYTES_PER_ELEMENT * first);
      for (let y = y0; y < y1; y++) {
        const to = x0 - start[0] + nx * (y - start[1] + ny * (z - start[2] + nz * channel));
        const from = width * (y - y0) + x0 - origin[0]!;
        if (through === 0) copyRun(rows, from, slab, to, x1 - x0);
        else slab.set(rows.subarray(from, from + x1 - x0), to);
      }
    }
  }
}

function writeFully(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
}
