import { intAt, itemAt } from '../at.js';
import { WorkError } from '../errors.js';
import type { AxisWeights } from './interpolation.js';
import { closestToRas, type Orientation, uprightGrid } from './reorient.js';
import { type AxisStep, gridAtSpacing, spacingSteps } from './resample.js';
import { addWeighed, resampleAxis } from './resample-axis.js';
import { type Axis, mapSize, type Triple } from './triple.js';
import { arrayLike, type Grid, type VoxelArray } from './volume.js';
import type { VolumeSlices } from './volume-slices.js';

/** A slice of a volume that is being turned to RAS and resampled. */
export interface UprightSlice {
  readonly channel: number;
  /** Its place along the RAS axis `through`. */
  readonly index: number;
  /** Rows of `across[1]`, each along `across[0]`, both in the direction of RAS. */
  readonly values: VoxelArray;
}

/** A volume that is turned to RAS and resampled while it is read. */
export interface UprightSlices {
  /** RAS, at the new spacing: what `reorientToRas` and `resampleToSpacing` give. */
  readonly grid: Grid;
  readonly channels: number;
  /** The RAS axis that the file's slices are stacked along. */
  readonly through: Axis;
  /** The RAS axes that run along a slice's rows and down its columns. */
  readonly across: readonly [Axis, Axis];
  /**
   * Every slice of every channel, in the order of the file. Use the values of one before you ask for the
   * next.
   */
  slices(): AsyncGenerator<UprightSlice, void>;
}

/**
 * The slices of `resampleToSpacing(reorientToRas(volume), spacing, mode)`, bit for bit, made while the volume
 * is read. Holds a few slices of it: grids that differ in spacing alone are resampled one axis at a time,
 * however oblique the scan.
 * @param spacing mm; null: the scan's own
 * @param orientation how the axes run, where that is known from another volume of the same voxels
 */
export function uprightSlices(
  source: VolumeSlices,
  spacing: Triple | null,
  mode: 'linear' | 'nearest',
  orientation: Orientation = closestToRas(source),
): UprightSlices {
  const upright = uprightGrid(source, orientation);
  const grid = spacing === null ? upright : gridAtSpacing(upright, spacing);
  const steps = stepsInFile(
    spacing === null ? [] : spacingSteps(upright, grid, mode),
    source.size,
    orientation,
  );
  const through = worldOf(2, orientation);
  return {
    grid,
    channels: source.channels,
    through,
    across: [worldOf(0, orientation), worldOf(1, orientation)],
    slices: () => resampledSlices(source, steps, mode, orientation.flipped[through]),
  };
}

/** Which voxels of a file the voxels of its upright grid take, along one RAS axis. */
export interface TakenAlong {
  readonly fileAxis: Axis;
  /** For each output the index along the file's axis. */
  readonly indices: ArrayLike<number>;
}

/**
 * The voxels of the file that `uprightSlices` takes by the nearest neighbour, a record a RAS axis.
 * @param spacing mm; null: the scan's own
 */
export function takenVoxels(
  source: Grid,
  spacing: Triple | null,
  orientation: Orientation = closestToRas(source),
): readonly [TakenAlong, TakenAlong, TakenAlong] {
  const upright = uprightGrid(source, orientation);
  const grid = spacing === null ? upright : gridAtSpacing(upright, spacing);
  const steps = stepsInFile(
    spacing === null ? [] : spacingSteps(upright, grid, 'nearest'),
    source.size,
    orientation,
  );
  const along = (world: Axis): TakenAlong => {
    const fileAxis = orientation.axes[world];
    const step = steps.find(({ axis }) => axis === fileAxis);
    return { fileAxis, indices: (step?.weights ?? unchanged(source.size[fileAxis])).indices };
  };
  return [along(0), along(1), along(2)];
}

/** The RAS axis that an axis of the file runs along. */
function worldOf(fileAxis: Axis, { axes }: Orientation): Axis {
  if (axes[0] === fileAxis) return 0;
  return axes[1] === fileAxis ? 1 : 2; // each axis of the file runs along one of the three
}

/** The steps in terms of the file's axes: what runs against RAS is read backwards. */
function stepsInFile(steps: readonly AxisStep[], size: Triple, { axes, flipped }: Orientation): AxisStep[] {
  const backwards = (length: number, { taps, indices, weights }: AxisWeights): AxisWeights => {
    return { taps, indices: indices.map((index) => length - 1 - index), weights };
  };
  const inFile = steps.map(({ axis, weights }) => {
    const fileAxis = axes[axis];
    return { axis: fileAxis, weights: flipped[axis] ? backwards(size[fileAxis], weights) : weights };
  });
  const onlyTurned = axes.filter((_, axis) => flipped[axis] && !steps.some((step) => step.axis === axis));
  const turns = onlyTurned.map((fileAxis) => {
    return { axis: fileAxis, weights: backwards(size[fileAxis], unchanged(size[fileAxis])) };
  });
  return [...inFile, ...turns];
}

const unchanged = (length: number): AxisWeights => {
  return {
    taps: 1,
    indices: Int32Array.from({ length }, (_, i) => i),
    weights: new Float32Array(length).fill(1),
  };
};

async function* resampledSlices(
  { size, slices }: VolumeSlices,
  steps: readonly AxisStep[],
  mode: 'linear' | 'nearest',
  backwards: boolean,
): AsyncGenerator<UprightSlice, void> {
  const place = steps.findIndex(({ axis }) => axis === 2);
  const through = steps[place]?.weights ?? unchanged(size[2]);
  const before = planeResampler([size[0], size[1]], place === -1 ? steps : steps.slice(0, place), mode);
  const after = planeResampler(before.size, place === -1 ? [] : steps.slice(place + 1), mode);
  const order = outputsInFileOrder(through, backwards);
  const wanted = new Set(through.indices);
  const held = new Map<number, VoxelArray>(); // slices of the file that were resampled and are still needed
  const free: VoxelArray[] = []; // of those that are not needed any more, to be used again
  let [between, finished]: (VoxelArray | undefined)[] = [];
  const heldSlice = (place: number): VoxelArray => {
    const fileIndex = intAt(through.indices, place);
    const slice = held.get(fileIndex);
    if (!slice) throw new WorkError(`slice ${fileIndex} of the file is needed, but is not held any more`);
    return slice;
  };
  let count = 0;
  let next = 0;
  for await (const raw of slices()) {
    const [channel, fileIndex] = [Math.floor(count / size[2]), count % size[2]];
    if (fileIndex === 0) next = 0;
    if (wanted.has(fileIndex)) {
      const into = free.pop();
      held.set(fileIndex, before.steps > 0 ? before.resample(raw, into) : copied(raw, into));
    }
    for (; next < order.length; next++) {
      const { index, last } = itemAt(order, next);
      if (last > fileIndex) break;
      const first = index * through.taps;
      if (through.taps === 1) between = heldSlice(first);
      else {
        const parts = Array.from({ length: through.taps }, (_, tap) => heldSlice(first + tap));
        between = weighed(parts, through.weights, first, between);
      }
      finished = after.steps > 0 ? after.resample(between, finished) : between;
      yield { channel, index, values: finished };
    }
    const needed = next < order.length ? itemAt(order, next).first : size[2];
    for (const [known, slice] of held) {
      if (known >= needed) continue;
      held.delete(known);
      free.push(slice);
    }
    count++;
  }
}

/** Resamples slices along their own axes. */
interface PlaneResampler {
  /** Of the slices that it makes. */
  readonly size: readonly [number, number];
  readonly steps: number;
  /** Makes a slice of one, in `into` or a new array. */
  resample(slice: VoxelArray, into: VoxelArray | undefined): VoxelArray;
}

function planeResampler(
  from: readonly [number, number],
  steps: readonly AxisStep[],
  mode: 'linear' | 'nearest',
): PlaneResampler {
  let present: Triple = [...from, 1];
  const planned = steps.map(({ axis, weights }, i) => {
    const size = present;
    const outputs = weights.indices.length / weights.taps;
    present = mapSize(size, (length, along) => (along === axis ? outputs : length));
    const next = steps[i + 1];
    // Rows that the next step does not look at need not be made.
    return { axis, weights, size, rows: next?.axis === 1 ? usedBy(next.weights) : undefined };
  });
  const between: (VoxelArray | undefined)[] = [];
  const resample = (slice: VoxelArray, into: VoxelArray | undefined): VoxelArray => {
    for (const [i, { axis, weights, size, rows }] of planned.entries()) {
      const last = i === steps.length - 1;
      const result = resampleAxis(slice, size, 1, axis, weights, mode, last ? into : between[i], rows);
      if (!last) between[i] = result;
      slice = result;
    }
    return slice;
  };
  return { size: [present[0], present[1]], steps: steps.length, resample };
}

/** What has weight in some output, rising. */
function usedBy({ indices, weights }: AxisWeights): Int32Array {
  return Int32Array.from(new Set(indices.filter((_, i) => weights[i] !== 0))).sort();
}

/** In `into` where that is of the same kind: the channels of a scan may be files of different types. */
function copied(slice: VoxelArray, into: VoxelArray | undefined): VoxelArray {
  const copy = into?.constructor === slice.constructor ? into : arrayLike(slice, slice.length);
  copy.set(slice);
  return copy;
}

/** Each output along the slices with the first and last slice that it takes, as the file brings them. */
function outputsInFileOrder(
  { taps, indices }: AxisWeights,
  backwards: boolean,
): { index: number; first: number; last: number }[] {
  const outputs = Array.from({ length: indices.length / taps }, (_, index) => {
    const used = indices.subarray(index * taps, (index + 1) * taps);
    return { index, first: Math.min(...used), last: Math.max(...used) };
  });
  return backwards ? outputs.reverse() : outputs;
}

function weighed(
  parts: readonly VoxelArray[],
  weights: Float32Array,
  first: number,
  into: VoxelArray = new Float32Array(itemAt(parts, 0).length),
): VoxelArray {
  addWeighed(parts, new Int32Array(parts.length), weights, first, into, 0, into.length);
  return into;
}
