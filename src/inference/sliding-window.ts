import { cropBox, padToSize, type Triple, type Volume, voxelCount } from '../volume/index.js';

export interface WindowOptions {
  /** Voxels [x, y, z]. */
  readonly window: Triple;
  /** Share of a window that the next one covers again. */
  readonly overlap: number;
  readonly outChannels: number;
  /** After each window. */
  readonly onWindow?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Logits of one window: [1, D, H, W, C] in, [1, D, H, W, K] out. */
export type WindowPredictor = (images: Float32Array) => Promise<Float32Array>;

/**
 * Logits of a whole volume from overlapping windows, weighed by a Gaussian around each window's centre; the last window of an axis is
 * shifted inside, small volumes are padded with zeros. Agrees with MONAI's `sliding_window_inference(mode="gaussian")`.
 * @returns logits on the volume's grid, one channel a class, planar
 */
export async function slidingWindow(volume: Volume, options: WindowOptions, predict: WindowPredictor): Promise<Volume> {
  const { volume: padded, start } = padToSize(volume, options.window);
  const { outChannels, window } = options;
  const voxels = voxelCount(padded);
  const sums = new Float32Array(voxels * outChannels);
  const weights = new Float32Array(voxels);
  const importance = gaussianImportance(window);
  const starts = windowStarts(padded.size, window, options.overlap);
  for (const [done, at] of starts.entries()) {
    options.signal?.throwIfAborted();
    const logits = await predict(channelsLast(cropBox(padded, at, window)));
    addWindow({ sums, weights, size: padded.size }, logits, importance, at, options);
    options.onWindow?.(done + 1, starts.length);
  }
  for (let c = 0; c < outChannels; c++) for (let i = 0; i < voxels; i++) sums[c * voxels + i]! /= weights[i]!;
  return cropBox({ ...padded, channels: outChannels, data: sums }, start, volume.size);
}

interface Accumulator {
  readonly sums: Float32Array;
  readonly weights: Float32Array;
  readonly size: Triple;
}

function addWindow(
  { sums, weights, size: [nx, ny, nz] }: Accumulator,
  logits: Float32Array,
  importance: Float32Array,
  at: Triple,
  options: WindowOptions,
) {
  const { window, outChannels } = options;
  const voxels = nx * ny * nz;
  let i = 0;
  for (let z = 0; z < window[2]; z++) {
    for (let y = 0; y < window[1]; y++) {
      let target = at[0] + nx * (at[1] + y + ny * (at[2] + z));
      for (let x = 0; x < window[0]; x++, i++, target++) {
        const weight = importance[i]!;
        weights[target]! += weight;
        for (let c = 0; c < outChannels; c++) sums[c * voxels + target]! += weight * logits[i * outChannels + c]!;
      }
    }
  }
}

/** A volume's planar channels as [D, H, W, C]. */
export function channelsLast({ channels, data, size }: Volume): Float32Array {
  if (channels === 1 && data instanceof Float32Array) return data;
  const voxels = voxelCount({ size });
  const result = new Float32Array(data.length);
  for (let c = 0; c < channels; c++) for (let i = 0; i < voxels; i++) result[i * channels + c] = data[c * voxels + i]!;
  return result;
}

/**
 * Weights of a window's voxels, x fastest: a Gaussian of sigma an eighth of the side around the centre (n - 1) / 2, and at least
 * 1e-3 (or the least of them, if that is more), so that no voxel is divided by next to nothing.
 */
export function gaussianImportance(window: Triple): Float32Array {
  const [gx, gy, gz] = window.map(gaussian) as [Float64Array, Float64Array, Float64Array];
  const least = Math.max(1e-3, gx[0]! * gy[0]! * gz[0]!);
  const weights = new Float32Array(window[0] * window[1] * window[2]);
  let i = 0;
  for (const z of gz) for (const y of gy) for (const x of gx) weights[i++] = Math.max(least, x * y * z);
  return weights;
}

function gaussian(n: number): Float64Array {
  const sigma = n / 8;
  return Float64Array.from({ length: n }, (_, i) => Math.exp(-((i - (n - 1) / 2) ** 2) / (2 * sigma ** 2)));
}

/** First voxels of the windows that cover a volume at least as large as one. */
export function windowStarts(size: Triple, window: Triple, overlap: number): Triple[] {
  const [xs, ys, zs] = [0, 1, 2].map((axis) => axisStarts(size[axis]!, window[axis]!, overlap)) as [number[], number[], number[]];
  return zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Triple => [x, y, z])));
}

function axisStarts(length: number, window: number, overlap: number): number[] {
  const interval = length === window ? window : Math.max(1, Math.floor(window * (1 - overlap)));
  const count = Math.ceil((length - window) / interval) + 1;
  return Array.from({ length: count }, (_, i) => Math.min(i * interval, length - window));
}
