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
}

/** Weighed sums of windows' logits, of as many slices as a window is deep and one more. */
export interface WindowSums {
  /** Adds the logits of one network, [D, H, W, K] as they come out, for a window at `at` that was mirrored. */
  add(network: number, logits: Float32Array, at: Triple, mirroring: Mirroring): void;
  /** Counts a window's weights, once for all networks. */
  count(at: Triple): void;
  /** The slices before `end` that were not given yet, finished; windows at `end` and beyond may be added after. */
  finish(end: number): LogitSlab;
  /** Bytes held, whatever the volume's depth. */
  readonly bytes: number;
}

/** Windows must be added in the order of their first slices, and slices finished before a window that begins behind them is added. */
export function openWindowSums({ size: [nx, ny, nz], window, outChannels, importance, networks, kind }: WindowSumsOptions): WindowSums {
  const slice = nx * ny;
  const held = Math.min(nz, window[2] + 1); // slices: a window's, and the last finished one before them
  const sums = Array.from({ length: networks }, () => Array.from({ length: outChannels }, () => new Float32Array(held * slice)));
  const weights = new Float32Array(held * slice);
  let base = 0; // the first slice held
  let given = 0; // slices finished so far

  const forget = () => {
    const first = Math.max(0, given - 1);
    for (const values of [weights, ...sums.flat()]) {
      values.copyWithin(0, (first - base) * slice);
      values.fill(0, (base + held - first) * slice);
    }
    base = first;
  };
  const firstVoxel = (at: Triple) => {
    if (at[2] + window[2] > base + held) forget();
    return at[0] + nx * (at[1] + ny * (at[2] - base));
  };
  return {
    bytes: 4 * held * slice * (1 + networks * outChannels),
    add: (network, logits, at, mirroring) => {
      const { first, steps } = mirroredSteps(window, mirroring);
      addChannels(sums[network]!, logits, importance, { start: firstVoxel(at), rows: [nx, slice], window, first, steps });
    },
    count: (at) => {
      const start = firstVoxel(at);
      let i = 0;
      for (let z = 0; z < window[2]; z++) {
        for (let y = 0; y < window[1]; y++) {
          let target = start + nx * y + slice * z;
          for (let x = 0; x < window[0]; x++) weights[target++]! += importance[i++]!;
        }
      }
    },
    finish: (end) => {
      const [from, to] = [(given - base) * slice, (end - base) * slice];
      for (const values of sums.flat()) for (let i = from; i < to; i++) values[i]! /= weights[i]!;
      if (networks > 1)
        averageLogits(
          kind,
          sums.map((channels) => channels.map((values) => values.subarray(from, to))),
        );
      const first = Math.max(0, given - 1);
      given = end;
      const channels = sums[0]!.map((values) => values.subarray((first - base) * slice, to));
      return { first, depth: end - first, channels };
    },
  };
}

interface Placed {
  /** Index of the window's first voxel in the slices held, and the steps of those along y and z. */
  readonly start: number;
  readonly rows: readonly [number, number];
  readonly window: Triple;
  /** Voxel of the logits that belongs there, and the steps to the others. */
  readonly first: number;
  readonly steps: Triple;
}

function addChannels(
  sums: readonly Float32Array[],
  logits: Float32Array,
  importance: Float32Array,
  { start, rows, window: [wx, wy, wz], first, steps }: Placed,
): void {
  const channels = sums.length;
  const step = steps[0] * channels;
  for (let z = 0; z < wz; z++) {
    for (let y = 0; y < wy; y++) {
      const row = start + rows[0] * y + rows[1] * z;
      const weight = wx * (y + wy * z);
      const voxel = (first + steps[1] * y + steps[2] * z) * channels;
      for (let c = 0; c < channels; c++) {
        const values = sums[c]!;
        for (let x = 0, from = voxel + c; x < wx; x++, from += step) values[row + x]! += importance[weight + x]! * logits[from]!;
      }
    }
  }
}
