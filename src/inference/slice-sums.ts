import { itemAt } from '../at.js';
import { type SliceKernels, sliceKernels } from './slice-kernels.js';

// Every voxel of a volume is added to some eight times, for each class. JavaScript adds one number at a time,
// WebAssembly four, with the same rounding: to float32 after each product and each sum.

/** Slices of float32 sums, [H, W, C] each, and what is added to them. */
export interface SliceSums {
  clear(slice: number): void;
  /** Adds a window's plane of values times weights, its first voxel to [x, y] of the slice. */
  add(slice: number, at: readonly [number, number], plane: WeighedPlane): void;
  /**
   * Divides a slice's sums by weights, one a voxel, and puts each channel into its own plane, from element
   * `at` on.
   */
  finish(slice: number, weights: Float32Array, planes: readonly Float32Array[], at: number): void;
  /** A slice's sums where they lie. */
  values(slice: number): Float32Array;
  readonly bytes: number;
  /** Leaves the memory to sums that are opened later: what is new to a process is slow the first time. */
  close(): void;
}

export interface WeighedPlane {
  /** The channels of a voxel together. */
  readonly values: Float32Array;
  /**
   * Where the values of the window's first voxel are, and the steps to the next one along x and y, in voxels.
   */
  readonly first: number;
  readonly steps: readonly [number, number];
  /** Of the window's voxels, x fastest. */
  readonly weights: Float32Array;
}

export interface SliceSumsOptions {
  readonly slices: number;
  /** Voxels [x, y] of a slice. */
  readonly size: readonly [number, number];
  /** Voxels [x, y] of a window, none of them more than the slice's. */
  readonly window: readonly [number, number];
  readonly channels: number;
  /**
   * Of one memory, which holds one slice at least: WebAssembly's addresses have 32 bits, and steps between
   * them a sign.
   */
  readonly mostBytes?: number;
}

const MOST_BYTES = 2 ** 31;
const PAGE = 2 ** 16;
const FLOAT = 4;

/** A memory and the kernels over it. */
interface Kernels extends SliceKernels {
  readonly memory: WebAssembly.Memory;
}

/**
 * Memories that were used before and are not in use, the smaller first. What is not taken by the next volume,
 * as between trainings, is let go.
 */
let spare: readonly Kernels[] = [];
let forgetting: NodeJS.Timeout | undefined;
const SPARE_MS = 10_000;

/** The smallest spare memory of so many bytes, or a new one in place of those that are too small. */
async function takeMemory(bytes: number): Promise<Kernels> {
  const found = spare.find(({ memory }) => memory.buffer.byteLength >= bytes);
  spare = found ? spare.filter((kernels) => kernels !== found) : [];
  if (found) return found;
  const pages = Math.ceil(bytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  return { memory, ...(await sliceKernels(memory)) };
}

function leaveMemory(left: readonly Kernels[]): void {
  spare = [...spare, ...left].sort((a, b) => a.memory.buffer.byteLength - b.memory.buffer.byteLength);
  clearTimeout(forgetting);
  forgetting = setTimeout(() => (spare = []), SPARE_MS).unref();
}

/** Some slices in a memory of WebAssembly, behind the planes that its kernels read from and write to. */
interface Part {
  readonly kernels: Kernels;
  readonly values: Float32Array;
  readonly weights: Float32Array;
  readonly finished: Float32Array;
  readonly sums: readonly Float32Array[];
}

/** Sums in as many memories as they need, none of them cleared yet. */
export async function openSliceSums({
  slices,
  size,
  window,
  channels,
  mostBytes = MOST_BYTES,
}: SliceSumsOptions): Promise<SliceSums> {
  const [voxels, ofWindow] = [size[0] * size[1], window[0] * window[1]];
  const shared = ofWindow * channels + voxels + voxels * channels; // values, weights, finished
  const each = Math.max(1, Math.min(slices, Math.floor((mostBytes / FLOAT - shared) / (voxels * channels))));
  const openPart = async (count: number): Promise<Part> => {
    const kernels = await takeMemory(FLOAT * (shared + count * voxels * channels));
    let taken = 0;
    const take = (length: number) => {
      const values = new Float32Array(kernels.memory.buffer, taken, length);
      taken += FLOAT * length;
      return values;
    };
    const [values, weights, finished] = [take(ofWindow * channels), take(voxels), take(voxels * channels)];
    return {
      kernels,
      values,
      weights,
      finished,
      sums: Array.from({ length: count }, () => take(voxels * channels)),
    };
  };
  const parts = await Promise.all(
    Array.from({ length: Math.ceil(slices / each) }, (_, i) => openPart(Math.min(each, slices - i * each))),
  );
  const partOf = (slice: number) => itemAt(parts, Math.floor(slice / each));
  const sumsOf = (slice: number) => itemAt(partOf(slice).sums, slice % each);
  const voxel = FLOAT * channels;
  return {
    bytes: FLOAT * (parts.length * shared + slices * voxels * channels),
    close: () => leaveMemory(parts.splice(0).map(({ kernels }) => kernels)),
    clear: (slice) => sumsOf(slice).fill(0),
    values: sumsOf,
    add: (slice, [x, y], plane) => {
      const { kernels, values, weights } = partOf(slice);
      values.set(plane.values);
      weights.set(plane.weights);
      kernels.add(
        sumsOf(slice).byteOffset + voxel * (x + size[0] * y),
        voxel * size[0],
        values.byteOffset + voxel * plane.first,
        voxel * plane.steps[1],
        voxel * plane.steps[0],
        weights.byteOffset,
        window[1],
        window[0],
        channels,
      );
    },
    finish: (slice, sliceWeights, planes, at) => {
      const { kernels, weights, finished } = partOf(slice);
      weights.set(sliceWeights);
      // A row at a time, so that its sums are read from memory once.
      for (let first = 0; first < voxels; first += size[0]) {
        const place = FLOAT * first;
        kernels.finish(
          sumsOf(slice).byteOffset + channels * place,
          weights.byteOffset + place,
          finished.byteOffset + place,
          FLOAT * voxels,
          size[0],
          channels,
        );
      }
      for (const [c, channel] of planes.entries())
        channel.set(finished.subarray(c * voxels, (c + 1) * voxels), at);
    },
  };
}
