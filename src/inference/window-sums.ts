import { itemAt } from '../at.js';
import type { Triple } from '../volume/index.js';
import { averageLogits, type OutputKind } from './average-logits.js';
import type { LogitSlab } from './logit-slab.js';
import { openSliceSums } from './slice-sums.js';
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
  /**
   * Adds the logits of one network, [D, H, W, K] as they come out, for a window at `at` that was mirrored.
   */
  add(network: number, logits: Float32Array, at: Triple, mirroring: Mirroring): void;
  /** Counts a window's weights, once for all networks. */
  count(at: Triple): void;
  /**
   * The slices before `end` that were not given yet, finished, a few at a time; windows at `end` and beyond
   * may be added when all were taken.
   */
  finish(end: number): Generator<LogitSlab, void, undefined>;
  /** Bytes held, whatever the volume's depth. */
  readonly bytes: number;
  /** Gives the sums' memory back. */
  close(): void;
}

/** A voxel that no window covers is background with all but certainty: the others have e^-20 of its share. */
const sureLogit = 10;

/** What a voxel that no window covers gets in a channel. */
function uncoveredLogit(kind: OutputKind, channel: number): number {
  return kind === 'classes' && channel === 0 ? sureLogit : -sureLogit;
}

/** New slices of a slab at most. */
const SLAB = 8;

/**
 * Windows must be added in the order of their first slices, and slices finished before a window that begins
 * behind them is added. Sums lie as networks give logits, the channels of a voxel together: every voxel is
 * added to some eight times, and brought to planes once.
 */
export async function openWindowSums({
  size,
  window,
  outChannels,
  importance,
  networks,
  kind,
  into,
}: WindowSumsOptions): Promise<WindowSums> {
  const [nx, ny, nz] = size;
  const [wx, wy, wz] = window;
  const slice = nx * ny;
  const held = wz; // slices, each in the place of the one so many before it
  const open = (channels: number) =>
    openSliceSums({ slices: held, size: [nx, ny], window: [wx, wy], channels });
  const sums = await Promise.all(Array.from({ length: networks }, () => open(outChannels)));
  const weights = await open(1);
  const slab = Math.min(SLAB, nz) + 1;
  const whole = networks === 1 ? into : undefined;
  const planes = whole
    ? [whole]
    : Array.from({ length: networks }, () =>
        Array.from({ length: outChannels }, () => new Float32Array(slab * slice)),
      );
  const plane = (values: Float32Array, z: number, channels = 1) =>
    values.subarray(z * wx * wy * channels, (z + 1) * wx * wy * channels);
  const ones = new Float32Array(wx * wy).fill(1);
  let reached = 0; // slices that windows were added to
  let given = 0; // slices finished so far
  let inPlanes = 0; // slices of the last slab

  const reach = (end: number) => {
    for (; reached < end; reached++) for (const { clear } of [weights, ...sums]) clear(reached % held);
  };
  /** Makes background of what no window covers, where windows were left out. */
  const fillUncovered = (slot: number) => {
    const ofSlice = weights.values(slot);
    if (!ofSlice.includes(0)) return;
    for (const { values } of sums) {
      const logits = values(slot);
      for (let i = 0; i < slice; i++) {
        if (ofSlice[i] !== 0) continue;
        for (let c = 0; c < outChannels; c++) logits[i * outChannels + c] = uncoveredLogit(kind, c);
      }
    }
    for (let i = 0; i < slice; i++) if (ofSlice[i] === 0) ofSlice[i] = 1;
  };
  return {
    bytes:
      [weights, ...sums].reduce((total, { bytes }) => total + bytes, 0) +
      4 * slice * slab * networks * outChannels,
    close: () => {
      for (const { close } of [weights, ...sums]) close();
    },
    add: (network, logits, at, mirroring) => {
      reach(at[2] + wz);
      const ofNetwork = itemAt(sums, network);
      const { first, steps } = mirroredSteps(window, mirroring);
      for (let z = 0; z < wz; z++) {
        const from = first + steps[2] * z;
        const of = Math.floor(from / (wx * wy));
        const values = plane(logits, of, outChannels);
        ofNetwork.add((at[2] + z) % held, [at[0], at[1]], {
          values,
          first: from - of * wx * wy,
          steps: [steps[0], steps[1]],
          weights: plane(importance, z),
        });
      }
    },
    count: (at) => {
      reach(at[2] + wz);
      for (let z = 0; z < wz; z++) {
        weights.add((at[2] + z) % held, [at[0], at[1]], {
          values: ones,
          first: 0,
          steps: [1, wx],
          weights: plane(importance, z),
        });
      }
    },
    *finish(end) {
      while (given < end) {
        const kept = Math.min(given, 1);
        if (!whole)
          for (const channel of itemAt(planes, 0))
            channel.copyWithin(0, (inPlanes - kept) * slice, inPlanes * slice);
        const depth = Math.min(SLAB, end - given);
        const begin = whole ? given - kept : 0; // slice of the planes that the slab begins with
        for (let z = given; z < given + depth; z++) {
          reach(z + 1);
          fillUncovered(z % held);
        }
        for (const [network, channels] of planes.entries()) {
          for (let z = 0; z < depth; z++) {
            const from = (given + z) % held;
            itemAt(sums, network).finish(from, weights.values(from), channels, (begin + kept + z) * slice);
          }
        }
        inPlanes = kept + depth;
        const [from, to] = [begin * slice, (begin + inPlanes) * slice];
        const parts = (skipped: number) =>
          planes.map((channels) => channels.map((values) => values.subarray(from + skipped * slice, to)));
        if (networks > 1) averageLogits(kind, parts(kept));
        const first = given - kept;
        given += depth;
        yield { first, depth: inPlanes, channels: itemAt(parts(0), 0) };
      }
    },
  };
}
