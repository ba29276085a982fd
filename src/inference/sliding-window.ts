import { floatAt, itemAt } from '../at.js';
import { cropBox, type Grid, mapAxes, type Triple, type Volume } from '../volume/index.js';
import type { OutputKind } from './average-logits.js';
import { isConstantWindow } from './constant-window.js';
import type { LogitSlab } from './logit-slab.js';
import { openWindowSums } from './window-sums.js';
import {
  constantImportance,
  gaussianImportance,
  type MirrorAxes,
  type Mirroring,
  mirroredSteps,
  mirrorings,
  windowStarts,
} from './windows.js';

/** How windows go over a volume. */
export interface WindowSettings {
  /** Voxels [x, y, z]. */
  readonly window: Triple;
  /** Share of a window that the next one covers again. */
  readonly overlap: number;
  /** Windows that go through the network at once. */
  readonly windowBatch: number;
  /** `constant`: windows are not weighed; else by a Gaussian around each one's centre. */
  readonly blend?: 'gaussian' | 'constant' | undefined;
  /**
   * Every window is also predicted mirrored along all combinations of these axes, and the logits are
   * averaged.
   */
  readonly mirror: MirrorAxes;
  /**
   * `background`: a window that has one value in every channel, as air or padding has, does not go through
   * the networks, and what no other window covers is background. Absent or `run`: it does.
   */
  readonly constantWindows?: 'background' | 'run' | undefined;
}

/** Whoever waits for a prediction. */
export interface WindowProgress {
  /** After each window, or mirrored window. */
  readonly onWindow?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface WindowOptions extends WindowSettings, WindowProgress {
  readonly outChannels: number;
  /** What the logits are; matters where several networks are averaged. */
  readonly kind: OutputKind;
  /**
   * Channels of the whole volume, to give the logits in: slabs lie in them where nothing is padded, and one
   * network predicts.
   */
  readonly into?: readonly Float32Array[] | undefined;
}

/**
 * Hands the logits of some windows, [B, D, H, W, C] in, [B, D, H, W, K] out for any B up to `windowBatch`, to
 * `use`, in which alone they are valid; resolves after that. `use` may begin the next run, and so must not be
 * called before this returns.
 */
export type WindowNetwork = (images: Float32Array, use: (logits: Float32Array) => void) => Promise<void>;

/**
 * Logits of a whole volume from overlapping windows, weighed by a Gaussian around each window's centre; the
 * last window of an axis is shifted inside, small volumes are padded with zeros. Agrees with MONAI's
 * `sliding_window_inference(mode="gaussian")`. Given slices by slices, as soon as no later window reaches
 * them: what is held is as deep as a window. The next windows go through the networks while the last ones are
 * added. Of several networks the mean of their probabilities is given, each from its own windows' logits.
 * Windows that show nothing may be left out (`constantWindows`).
 */
export async function* slidingWindowSlabs(
  volume: Volume,
  options: WindowOptions,
  networks: readonly WindowNetwork[],
): AsyncGenerator<LogitSlab, void, undefined> {
  const { window, overlap, windowBatch, blend, mirror, outChannels, kind, onWindow, signal } = options;
  const size = mapAxes(volume.size, (n, axis) => Math.max(n, window[axis]));
  // Zeros before the volume.
  const padding = mapAxes(size, (n, axis) => Math.floor((n - volume.size[axis]) / 2));
  const starts = windowStarts(size, window, overlap);
  const shown =
    options.constantWindows === 'background'
      ? starts.filter(showsSomething(volume, window, padding))
      : starts;
  const batches = batchesOf(shown, mirrorings(mirror), windowBatch);
  const total = batches.flat().length;
  const into = size.join() === volume.size.join() ? options.into : undefined;
  const sums = await openWindowSums({
    size,
    window,
    outChannels,
    importance: blend === 'constant' ? constantImportance(window) : gaussianImportance(window),
    networks: networks.length,
    kind,
    into,
  });
  const runs = batches.flatMap((batch) =>
    networks.map((network, member): Run => ({ batch, network, member })),
  );
  const imagesFor = lastOf((batch: readonly Pass[]) => imagesOf(volume, batch, window, padding));
  let row = 0; // first slice of the windows that are being added
  let given = 0; // slices of the volume
  let done = 0;
  const running = new Map<number, Promise<void>>(); // runs that were begun, and not awaited yet
  let ended = false;
  // Behind slices that were not taken yet.
  let waiting: { readonly run: Run; readonly logits: Float32Array } | undefined;

  const start = (i: number): void => {
    const run = runs[i];
    if (!run || running.has(i)) return;
    const { batch, network } = run;
    const finished = network(imagesFor(batch), (logits) => {
      if (ended || signal?.aborted) return;
      if (firstSlice(batch) > row) {
        waiting = { run, logits: logits.slice() };
        return;
      }
      start(i + 1);
      add(run, logits);
      const following = runs[i + 2];
      if (following) imagesFor(following.batch);
    });
    running.set(i, finished);
    finished.catch(() => {}); // it is awaited in its turn, or for its end alone after another error
  };
  const add = ({ batch, member }: Run, logits: Float32Array) => {
    const each = logits.length / batch.length;
    for (const [k, { at, mirroring }] of batch.entries()) {
      if (member === 0) sums.count(at);
      sums.add(member, logits.subarray(k * each, (k + 1) * each), at, mirroring);
      if (member === networks.length - 1) onWindow?.(++done, total);
    }
  };
  const finish = async function* (end: number) {
    for (const slab of sums.finish(end)) {
      const until = Math.min(slab.first + slab.depth - padding[2], volume.size[2]);
      if (until > given) yield inVolume(slab, volume, size, padding); // other slabs are padding alone
      given = Math.max(given, until);
    }
    row = end;
  };
  try {
    for (const [i, run] of runs.entries()) {
      signal?.throwIfAborted();
      start(i);
      const begin = firstSlice(run.batch);
      if (begin > row) yield* finish(begin);
      await running.get(i);
      running.delete(i);
      if (waiting?.run !== run) continue;
      const { logits } = waiting;
      waiting = undefined;
      start(i + 1);
      add(run, logits);
    }
    yield* finish(size[2]);
  } finally {
    ended = true;
    await Promise.allSettled(running.values());
    sums.close();
  }
}

/** Tells a window in the padded volume that has more than one value in some channel. */
function showsSomething(volume: Volume, window: Triple, padding: Triple): (at: Triple) => boolean {
  const isConstant = isConstantWindow(volume, window);
  return (at) => !isConstant(mapAxes(at, (n, axis) => n - padding[axis]));
}

interface Run {
  readonly batch: readonly Pass[];
  readonly network: WindowNetwork;
  /** Which of the networks. */
  readonly member: number;
}

interface Pass {
  readonly at: Triple;
  readonly mirroring: Mirroring;
}

/** The slice that all windows of a batch begin in. */
const firstSlice = (batch: readonly Pass[]): number => itemAt(batch, 0).at[2];

/** Windows that begin in the same slice, `windowBatch` at most, each in all its mirrorings. */
function batchesOf(starts: readonly Triple[], ways: readonly Mirroring[], windowBatch: number): Pass[][] {
  const batches: Pass[][] = [];
  for (const at of starts) {
    for (const mirroring of ways) {
      const last = batches.at(-1);
      if (last && last.length < windowBatch && firstSlice(last) === at[2]) last.push({ at, mirroring });
      else batches.push([{ at, mirroring }]);
    }
  }
  return batches;
}

/** The function, with its last result kept. */
function lastOf<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  let last: { readonly key: Key; readonly value: Value } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}

/** Windows as [B, D, H, W, C]. */
function imagesOf(volume: Volume, batch: readonly Pass[], window: Triple, padding: Triple): Float32Array {
  const each = batch.map(({ at, mirroring }) => {
    const start = mapAxes(at, (n, axis) => n - padding[axis]);
    return channelsLast(cropBox(volume, start, window), mirroring);
  });
  const first = itemAt(each, 0);
  if (each.length === 1) return first;
  const images = new Float32Array(each.length * first.length);
  for (const [k, image] of each.entries()) images.set(image, k * first.length);
  return images;
}

/** A volume's planar channels as [D, H, W, C], mirrored; its own values where that is how they lie. */
function channelsLast({ channels, data, size }: Volume, mirroring: Mirroring): Float32Array {
  if (channels === 1 && !mirroring.includes(true) && data instanceof Float32Array) return data;
  // One kind of array, so that the loop is fast.
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  const image = new Float32Array(data.length);
  const { first, steps } = mirroredSteps(size, mirroring);
  let from = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < size[2]; z++) {
      for (let y = 0; y < size[1]; y++) {
        let target = (first + steps[1] * y + steps[2] * z) * channels + c;
        for (let x = 0; x < size[0]; x++, target += steps[0] * channels)
          image[target] = floatAt(values, from++);
      }
    }
  }
  return image;
}

/** What a slab of the padded volume has of the volume itself. */
function inVolume(
  slab: LogitSlab,
  { size: [nx, ny, nz] }: Pick<Grid, 'size'>,
  padded: Triple,
  padding: Triple,
): LogitSlab {
  const [from, to] = [Math.max(slab.first, padding[2]), Math.min(slab.first + slab.depth, padding[2] + nz)];
  if (nx === padded[0] && ny === padded[1]) {
    const channels = slab.channels.map((values) =>
      values.subarray((from - slab.first) * nx * ny, (to - slab.first) * nx * ny),
    );
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
