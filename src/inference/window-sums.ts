import type { Triple } from '../volume/index.js';
import { averageLogits, type OutputKind } from './average-logits.js';
import type { LogitSlab } from './logit-slab.js';
import { type Mirroring, mirroredSteps } from './windows.js';

export interface WindowSumsOptions {
  /** Voxels [x, y, z] of the volume, none of them less than the window's. */
  readonly size: Triple;
  readonly window: Triple;
  readonly outChannels: number;
  /** Weights of a window's voxels, x fastest. */
  readonly importance: Float32Array;
  /** Networks whose probabilities are averaged; `kind` says what their logits are. */
  readonly networks: number;
  readonly kind: OutputKind;
  /** Channels of the whole volume, to finish the slices of one network in, instead of in a slab's. */
  readonly into?: readonly Float32Array[] | undefined;
}

/** Weighed sums of windows' logits, of as many slices as a window is deep. */
export interface WindowSums {
  /** Adds the logits of one network, [D, H, W, K] as they come out, for a window at `at` that was mirrored. */
  add(network: number, logits: Float32Array, at: Triple, mirroring: Mirroring): void;
  /** Counts a window's weights, once for all networks. */
  count(at: Triple): void;
  /** The slices before `end` that were not given yet, finished, a few at a time; windows at `end` and beyond may be added when all were taken. */
  finish(end: number): Generator<LogitSlab, void, undefined>;
  /** Bytes held, whatever the volume's depth. */
  readonly bytes: number;
}

/** New slices of a slab at most. */
const SLAB = 8;

/**
 * Windows must be added in the order of their first slices, and slices finished before a window that begins behind them is added. Sums lie
 * as networks give logits, the channels of a voxel together: every voxel is added to some eight times, and brought to planes once.
 */
export function openWindowSums({ size: [nx, ny, nz], window, outChannels, importance, networks, kind, into }: WindowSumsOptions): WindowSums {
  const slice = nx * ny;
  const held = window[2]; // slices, each in the place of the one so many before it
  const slices = (length: number) => Array.from({ length: held }, () => new Float32Array(length));
  const sums = Array.from({ length: networks }, () => slices(slice * outChannels));
  const weights = slices(slice);
  const slab = Math.min(SLAB, nz) + 1;
  const whole = networks === 1 ? into : undefined;
  const planes = whole ? [whole] : Array.from({ length: networks }, () => Array.from({ length: outChannels }, () => new Float32Array(slab * slice)));
  let reached = 0; // slices that windows were added to
  let given = 0; // slices finished so far
  let inPlanes = 0; // slices of the last slab

  const reach = (end: number) => {
    for (; reached < end; reached++) for (const values of [weights, ...sums]) values[reached % held]!.fill(0);
  };
  return {
    bytes: 4 * slice * (held * (1 + networks * outChannels) + slab * networks * outChannels),
    add: (network, logits, at, mirroring) => {
      reach(at[2] + window[2]);
      const { first, steps } = mirroredSteps(window, mirroring);
      for (let z = 0; z < window[2]; z++) {
        const summed = sums[network]![(at[2] + z) % held]!;
        for (let y = 0; y < window[1]; y++) {
          const target = (at[0] + nx * (at[1] + y)) * outChannels;
          const from = (first + steps[1] * y + steps[2] * z) * outChannels;
          addRow(summed, target, logits, from, steps[0], { importance, first: window[0] * (y + window[1] * z), count: window[0], outChannels });
        }
      }
    },
    count: (at) => {
      reach(at[2] + window[2]);
      let i = 0;
      for (let z = 0; z < window[2]; z++) {
        const counted = weights[(at[2] + z) % held]!;
        for (let y = 0; y < window[1]; y++) {
          const target = at[0] + nx * (at[1] + y);
          for (let x = 0; x < window[0]; x++, i++) counted[target + x] = fround(counted[target + x]! + importance[i]!);
        }
      }
    },
    *finish(end) {
      while (given < end) {
        const kept = Math.min(given, 1);
        if (!whole) for (const channel of planes[0]!) channel.copyWithin(0, (inPlanes - kept) * slice, inPlanes * slice);
        const depth = Math.min(SLAB, end - given);
        const begin = whole ? given - kept : 0; // slice of the planes that the slab begins with
        for (const [network, channels] of planes.entries()) {
          for (let z = 0; z < depth; z++) {
            const from = (given + z) % held;
            for (let y = 0; y < ny; y++) finishRow(channels, (begin + kept + z) * slice + nx * y, sums[network]![from]!, weights[from]!, nx * y, nx);
          }
        }
        inPlanes = kept + depth;
        const [from, to] = [begin * slice, (begin + inPlanes) * slice];
        const parts = (skipped: number) => planes.map((channels) => channels.map((values) => values.subarray(from + skipped * slice, to)));
        if (networks > 1) averageLogits(kind, parts(kept));
        const first = given - kept;
        given += depth;
        yield { first, depth: inPlanes, channels: parts(0)[0]! };
      }
    },
  };
}

interface Row {
  readonly importance: Float32Array;
  /** Index of the row's first weight. */
  readonly first: number;
  readonly count: number;
  readonly outChannels: number;
}

// What `fround` rounds at once, V8 computes in float32 throughout, as TensorFlow and PyTorch do.
const { fround } = Math;

/** Adds a row of a window's logits, weighed; `step` voxels on for each. */
function addRow(
  sums: Float32Array,
  target: number,
  logits: Float32Array,
  from: number,
  step: number,
  { importance, first, count, outChannels }: Row,
): void {
  let [into, voxel] = [target, from];
  for (let x = 0; x < count; x++) {
    const weight = importance[first + x]!;
    const end = into + outChannels;
    for (let i = voxel; into < end; into++, i++) sums[into] = fround(sums[into]! + fround(weight * logits[i]!));
    voxel += step * outChannels;
  }
}

/** Divides a row of sums by its weights, and puts each channel into its plane. */
function finishRow(planes: readonly Float32Array[], target: number, sums: Float32Array, weights: Float32Array, first: number, count: number): void {
  const channels = planes.length;
  for (let c = 0; c < channels; c++) {
    const plane = planes[c]!;
    for (let x = 0, from = first * channels + c; x < count; x++, from += channels) plane[target + x] = fround(sums[from]! / weights[first + x]!);
  }
}
