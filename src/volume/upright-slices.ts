import type { AxisWeights } from './interpolation.js';
import { closestToRas, type Orientation, uprightGrid } from './reorient.js';
import { type AxisStep, addWeighed, gridAtSpacing, resampleAxis, spacingSteps } from './resample.js';
import type { Grid, Triple, VoxelArray } from './volume.js';
import type { VolumeSlices } from './volume-slices.js';

/** A slice of a volume that is being turned to RAS and resampled. */
export interface UprightSlice {
  readonly channel: number;
  /** Its place along the RAS axis `through`. */
  readonly index: number;
  /** Rows of `across[1]`, each along `across[0]`, both in the direction of RAS. */
  readonly values: VoxelArray;
}

export interface UprightSlices {
  /** RAS, at the new spacing: what `reorientToRas` and `resampleToSpacing` give. */
  readonly grid: Grid;
  readonly channels: number;
  /** The RAS axis that the file's slices are stacked along. */
  readonly through: number;
  /** The RAS axes that run along a slice's rows and down its columns. */
  readonly across: readonly [number, number];
  /** Every slice of every channel, in the order of the file. */
  slices(): AsyncGenerator<UprightSlice, void>;
}

/**
 * The slices of `resampleToSpacing(reorientToRas(volume), spacing, mode)`, bit for bit, made while the volume is read. Holds a few
 * slices of it: grids that differ in spacing alone are resampled one axis at a time, however oblique the scan.
 * @param spacing mm; null: the scan's own
 */
export function uprightSlices(source: VolumeSlices, spacing: Triple | null, mode: 'linear' | 'nearest'): UprightSlices {
  const orientation = closestToRas(source);
  const upright = uprightGrid(source, orientation);
  const grid = spacing === null ? upright : gridAtSpacing(upright, spacing);
  const steps = stepsInFile(spacing === null ? [] : spacingSteps(upright, grid, mode), source.size, orientation);
  const worldOf = (fileAxis: number) => orientation.axes.indexOf(fileAxis);
  const through = worldOf(2);
  return {
    grid,
    channels: source.channels,
    through,
    across: [worldOf(0), worldOf(1)],
    slices: () => resampledSlices(source, steps, mode, orientation.flipped[through]!),
  };
}

/** The steps in terms of the file's axes: what runs against RAS is read backwards. */
function stepsInFile(steps: readonly AxisStep[], size: Triple, { axes, flipped }: Orientation): AxisStep[] {
  const backwards = (length: number, { taps, indices, weights }: AxisWeights): AxisWeights => {
    return { taps, indices: indices.map((index) => length - 1 - index), weights };
  };
  const inFile = steps.map(({ axis, weights }) => {
    const fileAxis = axes[axis]!;
    return { axis: fileAxis, weights: flipped[axis] ? backwards(size[fileAxis]!, weights) : weights };
  });
  const onlyTurned = axes.filter((_, axis) => flipped[axis] && !steps.some((step) => step.axis === axis));
  const turns = onlyTurned.map((fileAxis) => ({ axis: fileAxis, weights: backwards(size[fileAxis]!, unchanged(size[fileAxis]!)) }));
  return [...inFile, ...turns];
}

const unchanged = (length: number): AxisWeights => {
  return { taps: 1, indices: Int32Array.from({ length }, (_, i) => i), weights: new Float32Array(length).fill(1) };
};

async function* resampledSlices(
  { size, slices }: VolumeSlices,
  steps: readonly AxisStep[],
  mode: 'linear' | 'nearest',
  backwards: boolean,
): AsyncGenerator<UprightSlice, void> {
  const place = steps.findIndex(({ axis }) => axis === 2);
  const through = steps[place]?.weights ?? unchanged(size[2]);
  const before = place === -1 ? steps : steps.slice(0, place);
  const after = place === -1 ? [] : steps.slice(place + 1);
  const sizeBetween = resampledSize([size[0], size[1]], before);
  const inPlane = (values: VoxelArray, from: readonly [number, number], planeSteps: readonly AxisStep[]): VoxelArray => {
    const present: [number, number, number] = [...from, 1];
    for (const { axis, weights } of planeSteps) {
      values = resampleAxis(values, present, 1, axis, weights, mode);
      present[axis] = weights.indices.length / weights.taps;
    }
    return values;
  };
  const order = outputsInFileOrder(through, backwards);
  const held = new Map<number, { raw: VoxelArray; resampled?: VoxelArray }>();
  let count = 0;
  let next = 0;
  for await (const raw of slices()) {
    const [channel, fileIndex] = [Math.floor(count / size[2]), count % size[2]];
    if (fileIndex === 0) {
      held.clear();
      next = 0;
    }
    held.set(fileIndex, { raw });
    for (; next < order.length && order[next]!.last <= fileIndex; next++) {
      const { index, first } = order[next]!;
      for (const known of held.keys()) if (known < first) held.delete(known);
      const parts = Array.from({ length: through.taps }, (_, tap) => {
        const slice = held.get(through.indices[index * through.taps + tap]!)!;
        slice.resampled ??= inPlane(slice.raw, [size[0], size[1]], before);
        return slice.resampled;
      });
      const weights = through.weights.subarray(index * through.taps, (index + 1) * through.taps);
      yield { channel, index, values: inPlane(combined(parts, weights), sizeBetween, after) };
    }
    const needed = order[next]?.first ?? size[2];
    for (const known of held.keys()) if (known < needed) held.delete(known);
    count++;
  }
}

/** Each output along the slices with the first and last slice that it takes, as the file brings them. */
function outputsInFileOrder({ taps, indices }: AxisWeights, backwards: boolean): { index: number; first: number; last: number }[] {
  const outputs = Array.from({ length: indices.length / taps }, (_, index) => {
    const used = indices.subarray(index * taps, (index + 1) * taps);
    return { index, first: Math.min(...used), last: Math.max(...used) };
  });
  return backwards ? outputs.reverse() : outputs;
}

function combined(parts: readonly VoxelArray[], weights: Float32Array): VoxelArray {
  if (parts.length === 1) return parts[0]!;
  const result = new Float32Array(parts[0]!.length);
  addWeighed(parts, weights, result);
  return result;
}

function resampledSize(size: readonly [number, number], steps: readonly AxisStep[]): [number, number] {
  const along = (axis: number) => {
    const step = steps.find((candidate) => candidate.axis === axis);
    return step ? step.weights.indices.length / step.weights.taps : size[axis]!;
  };
  return [along(0), along(1)];
}
