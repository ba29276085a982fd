import { itemAt } from '../at.js';
import { type Volume, type VoxelArray, voxelCount } from './volume.js';

/** Values of a channel that count as background: from `low` to `high`, both included. */
export interface BackgroundRange {
  readonly low: number;
  readonly high: number;
}

/** Every voxel is foreground. */
export const noBackground: BackgroundRange = {
  low: Number.POSITIVE_INFINITY,
  high: Number.NEGATIVE_INFINITY,
};

/** Zero alone, as in MR whose air was cleared. */
export const zeroBackground: BackgroundRange = { low: 0, high: 0 };

/** What is not above a threshold. */
export const backgroundUpTo = (threshold: number): BackgroundRange => ({
  low: Number.NEGATIVE_INFINITY,
  high: threshold,
});

/** Of an outer plane that shows nothing but air or padding: a head may touch it, noise fills none so. */
const shareOfPlane = 0.75;

/** Of all outer voxels, where no single plane is so empty. Tissue and noise repeat no value so often. */
const shareOfBorder = 0.25;

/** One value, resampled, differs from itself by the rounding of float32. */
const relativeTolerance = 1e-5;

/** What the outer planes of a channel say about its background. */
export interface BorderValues {
  /** The value of at least three quarters of an outer plane; of several such values the most frequent. */
  readonly ofPlane?: number;
  /** The value of at least a quarter of all outer voxels. */
  readonly ofBorder?: number;
}

/** Takes the slices of a volume in any order, channel by channel. Holds the outer voxels of one channel. */
export interface BackgroundFinder {
  add(channel: number, index: number, values: VoxelArray): void;
  /** A record a channel, when every slice was added. */
  borders(): readonly BorderValues[];
}

/**
 * Looks for the value of the background on the six outer planes of a volume.
 * @param size voxels along a slice's rows, down its columns, and slices
 */
export function backgroundFinder(
  [width, height, depth]: readonly [number, number, number],
  channels: number,
): BackgroundFinder {
  const found: BorderValues[] = [];
  let planes = emptyPlanes(width, height, depth);
  let added = 0;
  const add = (_channel: number, index: number, values: VoxelArray) => {
    const { first, last, left, right, top, bottom } = planes;
    if (index === 0) first.set(values);
    if (index === depth - 1) last.set(values);
    top.set(values.subarray(0, width), width * index);
    bottom.set(values.subarray(width * (height - 1)), width * index);
    for (let row = 0; row < height; row++) {
      left[height * index + row] = values[width * row]!;
      right[height * index + row] = values[width * (row + 1) - 1]!;
    }
    if (++added < depth) return;
    found.push(borderValues(Object.values(planes)));
    added = 0;
    if (found.length < channels) planes = emptyPlanes(width, height, depth);
  };
  return { add, borders: () => found };
}

const emptyPlanes = (width: number, height: number, depth: number) => ({
  first: new Float32Array(width * height),
  last: new Float32Array(width * height),
  left: new Float32Array(height * depth),
  right: new Float32Array(height * depth),
  top: new Float32Array(width * depth),
  bottom: new Float32Array(width * depth),
});

/** Sorts the planes, so that what it finds does not depend on the direction of an axis. */
function borderValues(planes: readonly Float32Array[]): BorderValues {
  const ofPlanes = planes.flatMap((plane) => {
    const most = mostFrequent(plane.sort());
    return most.count >= shareOfPlane * plane.length ? [most] : [];
  });
  if (ofPlanes.length > 0) return { ofPlane: mostOf(ofPlanes).value };
  const border = new Float32Array(planes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const plane of planes) {
    border.set(plane, at);
    at += plane.length;
  }
  const { value, count } = mostFrequent(border.sort());
  return count >= shareOfBorder * border.length ? { ofBorder: value } : {};
}

interface Counted {
  readonly value: number;
  readonly count: number;
}

/** The value of the longest run of ascending values that are alike but for rounding. */
function mostFrequent(sorted: Float32Array): Counted {
  let best: Counted = { value: 0, count: 0 };
  for (let start = 0; start < sorted.length; ) {
    const value = sorted[start]!;
    const most = value + 2 * toleranceOf(value);
    let end = start + 1;
    while (end < sorted.length && sorted[end]! <= most) end++;
    if (end - start > best.count) best = { value: sorted[(start + end - 1) >> 1]!, count: end - start };
    start = end;
  }
  return best;
}

/** The most frequent value over several planes; of equally frequent ones the lowest. */
function mostOf(planes: readonly Counted[]): Counted {
  const sums = planes.map(({ value }) => {
    const alike = planes.filter((other) => Math.abs(other.value - value) <= 2 * toleranceOf(value));
    return { value, count: alike.reduce((sum, { count }) => sum + count, 0) };
  });
  return sums.reduce((best, sum) =>
    sum.count > best.count || (sum.count === best.count && sum.value < best.value) ? sum : best,
  );
}

const toleranceOf = (value: number): number => relativeTolerance * Math.abs(value);

/**
 * The background of an MR channel: the value that fills an outer plane. Where none does, it is 0 in a channel
 * without negative values, as scanners write the air; else the value that a quarter of the outer voxels have;
 * else nothing.
 * @param lowest of all values of the channel; is asked for only where no value fills a plane
 */
export function backgroundRange({ ofPlane, ofBorder }: BorderValues, lowest: () => number): BackgroundRange {
  if (ofPlane !== undefined) return rangeAround(ofPlane);
  if (lowest() >= 0) return zeroBackground;
  return ofBorder === undefined ? noBackground : rangeAround(ofBorder);
}

const rangeAround = (value: number): BackgroundRange =>
  value === 0 ? zeroBackground : { low: value - toleranceOf(value), high: value + toleranceOf(value) };

/** The background of each channel of a volume, as `backgroundRange` says. */
export function backgroundRanges(volume: Volume): BackgroundRange[] {
  const { size, channels, data } = volume;
  const finder = backgroundFinder(size, channels);
  const [voxels, slice] = [voxelCount(volume), size[0] * size[1]];
  for (let channel = 0; channel < channels; channel++) {
    for (let z = 0; z < size[2]; z++) {
      const start = channel * voxels + z * slice;
      finder.add(channel, z, data.subarray(start, start + slice));
    }
  }
  const borders = finder.borders();
  return Array.from({ length: channels }, (_, channel) =>
    backgroundRange(itemAt(borders, channel), () =>
      lowestOf(data.subarray(channel * voxels, (channel + 1) * voxels)),
    ),
  );
}

/** The lowest value; infinity where there is none. */
export function lowestOf(values: VoxelArray): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) if (values[i]! < lowest) lowest = values[i]!;
  return lowest;
}
