import { itemAt } from '../../at.js';
import {
  type BackgroundRange,
  backgroundFinder,
  backgroundRange,
  backgroundUpTo,
  lowestOf,
  mapAxes,
  noBackground,
  type Triple,
  type UprightSlices,
  type VoxelArray,
  zeroBackground,
} from '../../volume/index.js';
import { openScratchFile, type ScratchFile } from '../../whole-file.js';
import { readFully } from './chunked-file.js';
import {
  arrayTypes,
  bytesOf,
  type ChunkedArray,
  type ChunkedHeader,
  copyRun,
  slabPlanes,
} from './chunked-format.js';

/** A box of a grid. */
export interface Box {
  /** First voxel. */
  readonly start: Triple;
  readonly size: Triple;
}

/** A resampled volume that waits on disk while what depends on all of it is found out. */
export interface SpilledVolume {
  /** The smallest box around the voxels that are foreground in some channel; undefined when there are none. */
  readonly foreground: Box | undefined;
  /** How many voxels of each channel are foreground. */
  readonly foregroundVoxels: readonly number[];
  /** What counts as background in each channel. */
  readonly backgrounds: readonly BackgroundRange[];
  /**
   * A box of the volume from below in slabs of `slabPlanes` planes, each
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
  const chunks = mapAxes(size, (n) => Math.ceil(n / slabPlanes));
  return (4 * channels * (chunks[0] * chunks[1] * chunks[2] * slabPlanes ** 3)) / Math.min(...chunks);
}

/**
 * Writes slices that come in the order of their source, whatever axis they are stacked
 * along, so that they can be read from below. Holds one layer of them in memory.
 * @param file beside which they wait; what they wait in goes by `remove`, and when the slices fail
 * @param threshold what is above it is foreground; `background`: what differs from the background; null:
 * everything
 */
export async function spillVolume(
  file: string,
  source: UprightSlices,
  dtype: ChunkedHeader['dtype'],
  threshold: number | 'background' | null,
): Promise<SpilledVolume> {
  const scratch = openScratchFile(file);
  const { descriptor, remove } = scratch;
  try {
    const layers = layersOf(source, dtype);
    const assumed = assumedBackgrounds(source, threshold);
    const found = foregroundOf(source, assumed);
    const border = threshold === 'background' ? borderOf(source) : undefined;
    const writer = layerWriter(scratch, layers, source);
    for await (const { channel, index, values } of source.slices()) {
      writer.add(channel, index, values);
      found.add(channel, index, values);
      border?.add(channel, index, values);
    }
    writer.flush();
    const slabs = (box: Box) => slabsOf(file, descriptor, layers, box);
    const backgrounds = border ? backgroundsBy(border.borders(), source, slabs) : assumed;
    const asAssumed = backgrounds.every((range, channel) => range.high === assumed[channel]?.high);
    const { box, voxels } = asAssumed ? found : foregroundAgain(source, backgrounds, slabs);
    return { foreground: box(), foregroundVoxels: voxels, backgrounds, slabs, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * How the volume lies in its file: for each channel, layers of `slabPlanes` slices
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
  const extent = mapAxes(size, (n, axis) => (axis === through ? slabPlanes : n));
  return { size, channels, dtype, through, count: Math.ceil(itemAt(size, through) / slabPlanes), extent };
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
    const place = Math.floor(index / slabPlanes);
    if (current?.channel !== channel || current.place !== place) flush();
    current = { channel, place };
    const start = sliceStep * (index % slabPlanes);
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

/** Of almost every MR the background is 0, so that its box is known when its slices were read once. */
function assumedBackgrounds(
  { channels }: UprightSlices,
  threshold: number | 'background' | null,
): BackgroundRange[] {
  const others =
    threshold === null ? noBackground : backgroundUpTo(threshold === 'background' ? 0 : threshold);
  return Array.from({ length: channels }, () => (threshold === 'background' ? zeroBackground : others));
}

function borderOf({ grid: { size }, channels, across: [along, down], through }: UprightSlices) {
  return backgroundFinder([size[along], size[down], size[through]], channels);
}

const wholeOf = ({ grid: { size } }: UprightSlices): Box => ({ start: [0, 0, 0], size });

function backgroundsBy(
  borders: ReturnType<ReturnType<typeof borderOf>['borders']>,
  source: UprightSlices,
  slabs: (box: Box) => Iterable<ChunkedArray>,
): BackgroundRange[] {
  const lowestIn = (channel: number) => {
    let lowest = Number.POSITIVE_INFINITY;
    for (const slab of slabs(wholeOf(source))) {
      const voxels = slab.length / source.channels;
      lowest = Math.min(lowest, lowestOf(slab.subarray(channel * voxels, (channel + 1) * voxels)));
    }
    return lowest;
  };
  return borders.map((border, channel) => backgroundRange(border, () => lowestIn(channel)));
}

/** Reads the waiting volume once more: the background was another than was assumed. */
function foregroundAgain(
  { grid, channels }: Pick<UprightSlices, 'grid' | 'channels'>,
  backgrounds: readonly BackgroundRange[],
  slabs: (box: Box) => Iterable<ChunkedArray>,
) {
  const found = foregroundOf({ grid, channels, across: [0, 1], through: 2 }, backgrounds);
  const slice = grid.size[0] * grid.size[1];
  let first = 0;
  for (const slab of slabs({ start: [0, 0, 0], size: grid.size })) {
    const planes = slab.length / channels / slice;
    for (let i = 0; i < planes * channels; i++)
      found.add(Math.floor(i / planes), first + (i % planes), slab.subarray(i * slice, (i + 1) * slice));
    first += planes;
  }
  return found;
}

/** The box around what is not background, and how much is, slice by slice. */
function foregroundOf(
  {
    grid: { size },
    channels,
    across: [along, down],
    through,
  }: Pick<UprightSlices, 'grid' | 'channels' | 'across' | 'through'>,
  backgrounds: readonly BackgroundRange[],
) {
  const low: [number, number, number] = mapAxes(size, (n) => n);
  const high: [number, number, number] = [-1, -1, -1];
  const everything = backgrounds.every((range) => range === noBackground);
  const voxels = new Array<number>(channels).fill(everything ? size[0] * size[1] * size[2] : 0);
  const include = (axis: number, first: number, last: number) => {
    low[axis] = Math.min(itemAt(low, axis), first);
    high[axis] = Math.max(itemAt(high, axis), last);
  };
  const [width, rows] = [itemAt(size, along), itemAt(size, down)];
  const add = (channel: number, index: number, values: VoxelArray) => {
    if (everything) return;
    const background = itemAt(backgrounds, channel);
    let [left, right, top, bottom, count] = [width, -1, rows, -1, 0];
    for (let row = 0; row < rows; row++) {
      const found = rangeOutside(values, row * width, width, background);
      if (found.count === 0) continue;
      count += found.count;
      left = Math.min(left, found.first);
      right = Math.max(right, found.last);
      top = Math.min(top, row);
      bottom = row;
    }
    if (count === 0) return;
    voxels[channel] = itemAt(voxels, channel) + count;
    include(along, left, right);
    include(down, top, bottom);
    include(through, index, index);
  };
  const box = (): Box | undefined => {
    if (everything) return { start: [0, 0, 0], size };
    if (high[0] === -1) return undefined;
    return { start: low, size: mapAxes(high, (last, axis) => last - low[axis] + 1) };
  };
  return { voxels, add, box };
}

/** How many voxels of a row are not background, and the places of the first and the last of them. */
function rangeOutside(values: VoxelArray, start: number, width: number, { low, high }: BackgroundRange) {
  let [first, last, count] = [width, -1, 0];
  for (let i = 0; i < width; i++) {
    const value = values[start + i]!;
    if (value >= low && value <= high) continue;
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
  const slab = new arrayTypes[dtype](planeLength * Math.min(slabPlanes, nz));
  const rows = new arrayTypes[dtype](extent[0] * extent[1]);
  for (let plane = 0; plane < nz; plane += slabPlanes) {
    const planes = Math.min(slabPlanes, nz - plane);
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
  for (let layer = Math.floor(firstPlane / slabPlanes); layer * slabPlanes < endPlane; layer++) {
    const origin = mapAxes(start, (_, axis) => (axis === through ? layer * slabPlanes : 0));
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
