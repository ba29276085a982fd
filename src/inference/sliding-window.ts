import { cropBox, type Grid, type Triple, type Volume, voxelCount } from '../volume/index.js';
import type { OutputKind } from './average-logits.js';
import { collectLogits, type LogitSlab } from './logit-slab.js';
import { openWindowSums } from './window-sums.js';
import { gaussianImportance, type MirrorAxes, type Mirroring, mirroredSteps, mirrorings, windowStarts } from './windows.js';

/** How windows go over a volume. */
export interface WindowSettings {
  /** Voxels [x, y, z]. */
  readonly window: Triple;
  /** Share of a window that the next one covers again. */
  readonly overlap: number;
  /** Windows that go through the network at once. */
  readonly windowBatch: number;
  /** Every window is also predicted mirrored along all combinations of these axes, and the logits are averaged. */
  readonly mirror: MirrorAxes;
}

/** Whoever waits for a prediction. */
export interface Watch {
  /** After each window, or mirrored window. */
  readonly onWindow?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface WindowOptions extends WindowSettings, Watch {
  readonly outChannels: number;
  /** What the logits are; matters where several networks are averaged. */
  readonly kind: OutputKind;
}

/** Logits of some windows: [B, D, H, W, C] in, [B, D, H, W, K] out, for any B up to `windowBatch`. */
export type WindowPredictor = (images: Float32Array) => Promise<Float32Array>;

/**
 * Logits of a whole volume from overlapping windows, weighed by a Gaussian around each window's centre; the last window of an axis is
 * shifted inside, small volumes are padded with zeros. Agrees with MONAI's `sliding_window_inference(mode="gaussian")`.
 * @returns logits on the volume's grid, one channel a class, planar
 */
export function slidingWindow(volume: Volume, options: WindowOptions, ...networks: readonly WindowPredictor[]): Promise<Volume> {
  return collectLogits(volume, options.outChannels, slidingWindowSlabs(volume, options, networks));
}

/**
 * The same slices by slices, as soon as no later window reaches them: what is held is as deep as a window. The next windows go through the
 * networks while the last ones are added. Of several networks the mean of their probabilities is given, each from its own windows' logits.
 */
export async function* slidingWindowSlabs(
  volume: Volume,
  options: WindowOptions,
  networks: readonly WindowPredictor[],
): AsyncGenerator<LogitSlab, void, undefined> {
  const { window, overlap, windowBatch, mirror, outChannels, kind, onWindow, signal } = options;
  const size = volume.size.map((n, axis) => Math.max(n, window[axis]!)) as unknown as Triple;
  const padding = size.map((n, axis) => Math.floor((n - volume.size[axis]!) / 2)) as unknown as Triple; // zeros before the volume
  const passes = windowStarts(size, window, overlap).flatMap((at) => mirrorings(mirror).map((mirroring) => ({ at, mirroring })));
  const sums = openWindowSums({ size, window, outChannels, importance: gaussianImportance(window), networks: networks.length, kind });
  const predict = async (batch: readonly Pass[]): Promise<Float32Array[]> => {
    const images = imagesOf(volume, batch, window, padding);
    const logits: Float32Array[] = [];
    for (const network of networks) logits.push(await network(images));
    return logits;
  };
  const batches = Array.from({ length: Math.ceil(passes.length / windowBatch) }, (_, i) => passes.slice(i * windowBatch, (i + 1) * windowBatch));
  let done = 0;
  let row = 0; // first slice of the windows that are being added
  let running: Promise<Float32Array[]> | undefined;
  try {
    for (const [i, batch] of batches.entries()) {
      signal?.throwIfAborted();
      running ??= predict(batch);
      const logits = await running;
      const following = batches[i + 1];
      running = following && predict(following);
      running?.catch(() => {}); // it is awaited in its turn, or not at all after another error
      for (const [k, { at, mirroring }] of batch.entries()) {
        if (at[2] > row) yield inVolume(sums.finish(at[2]), volume, size, padding);
        row = at[2];
        sums.count(at);
        logits.forEach((values, network) => {
          const each = values.length / batch.length;
          sums.add(network, values.subarray(k * each, (k + 1) * each), at, mirroring);
        });
        onWindow?.(++done, passes.length);
      }
    }
    yield inVolume(sums.finish(size[2]), volume, size, padding);
  } finally {
    await running?.catch(() => {});
  }
}

interface Pass {
  readonly at: Triple;
  readonly mirroring: Mirroring;
}

/** Windows as [B, D, H, W, C]. */
function imagesOf(volume: Volume, batch: readonly Pass[], window: Triple, padding: Triple): Float32Array {
  const each = voxelCount({ size: window }) * volume.channels;
  const images = new Float32Array(batch.length * each);
  for (const [k, { at, mirroring }] of batch.entries()) {
    const start = at.map((n, axis) => n - padding[axis]!) as unknown as Triple;
    putChannelsLast(cropBox(volume, start, window), mirroring, images.subarray(k * each, (k + 1) * each));
  }
  return images;
}

/** A volume's planar channels as [D, H, W, C], mirrored. */
function putChannelsLast({ channels, data, size }: Volume, mirroring: Mirroring, into: Float32Array): void {
  const { first, steps } = mirroredSteps(size, mirroring);
  let from = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        let target = (first + steps[1] * y + steps[2] * z) * channels + c;
        for (let x = 0; x < size[0]; x++, target += steps[0] * channels) into[target] = data[from++]!;
      }
    }
  }
}

/** What a slab of the padded volume has of the volume itself. */
function inVolume(slab: LogitSlab, { size: [nx, ny, nz] }: Pick<Grid, 'size'>, padded: Triple, padding: Triple): LogitSlab {
  const [from, to] = [Math.max(slab.first, padding[2]), Math.min(slab.first + slab.depth, padding[2] + nz)];
  if (nx === padded[0] && ny === padded[1]) {
    const channels = slab.channels.map((values) => values.subarray((from - slab.first) * nx * ny, (to - slab.first) * nx * ny));
    return { first: from - padding[2], depth: to - from, channels };
  }
  const channels = slab.channels.map((values) => {
    const inner = new Float32Array(nx * ny * (to - from));
    for (let z = from; z < to; z++) {
      for (let y = 0; y < ny; y++) {
        const row = padding[0] + padded[0] * (y + padding[1] + padded[1] * (z - slab.first));
        inner.set(values.subarray(row, row + nx), nx * (y + ny * (z - from)));
      }
    }
    return inner;
  });
  return { first: from - padding[2], depth: to - from, channels };
}
