import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  AXES,
  closestToRas,
  mapAxes,
  openLabelSlices,
  percentile,
  spacingOf,
  type Triple,
  type VolumeSlices,
  type VoxelArray,
} from '../../volume/index.js';
import type { LabelMap } from '../index/dataset-file.js';
import { type LabelFiles, placementOf, readLabelOnGrid } from '../prepare/label-files.js';
import { countsAsClass, requireOneChannel } from '../prepare/label-values.js';
import { openChannels } from '../prepare/read-channels.js';

/** A scan to look at. */
export interface SurveyTask {
  /** For people. */
  readonly id: string;
  readonly images: readonly string[];
  readonly label?: string;
  readonly labelMap?: LabelMap;
  /** Whether its voxels are read, or its header alone. */
  readonly voxels: boolean;
}

/** What a scan is like, on its own grid turned to RAS. */
export interface SurveyedScan {
  readonly id: string;
  readonly file: string;
  /** Voxels [x, y, z]. */
  readonly size: Triple;
  /** mm [x, y, z]. */
  readonly spacing: Triple;
  readonly channels: number;
  /** Absent where the header alone was read. */
  readonly voxels?: SurveyedVoxels;
}

export interface SurveyedVoxels {
  /** Over all channels. */
  readonly lowest: number;
  readonly highest: number;
  /** Sizes of the boxes around voxels above a value, in any channel; 0 where there are none. */
  readonly boxes: { readonly aboveAir: Triple; readonly aboveZero: Triple };
  /** How many values it has, where they are few and whole numbers from 0 up, as a label has; else absent. */
  readonly fewValues?: number;
  /** Voxels of each value of the label, background apart; absent without a label. */
  readonly classVoxels?: Readonly<Record<string, number>>;
  /**
   * Of each channel, quantiles of the intensities within the label's classes from the lowest to the highest,
   * evenly spaced and as many of every scan, so that each counts alike; empty without a label.
   */
  readonly foreground: readonly (readonly number[])[];
}

/** HU: halfway between air and tissue. */
export const airThreshold = -500;

/** Of one scan and channel, while it is read. */
const samplesOfCase = 100_000;

/** Of one scan and channel, kept: the 0.5th percentile is the eleventh of them. */
const quantiles = 2001;

/**
 * Looks at a scan slice by slice, so that a few slices are in memory.
 * @throws DataError when it cannot be read, holds values that are not finite, or has a label of another grid
 */
export async function surveyCase({ id, images, label, labelMap, voxels }: SurveyTask): Promise<SurveyedScan> {
  const image = await openChannels(images);
  const { axes } = closestToRas(image);
  const upright = (of: Triple): Triple => mapAxes(axes, (axis) => of[axis]);
  const file = itemAt(images, 0);
  const facts = {
    id,
    file,
    size: upright(image.size),
    spacing: upright(spacingOf(image.affine)),
    channels: image.channels,
  };
  if (!voxels) return facts;
  const boxes = { aboveAir: emptyBox(), aboveZero: emptyBox() };
  const counted = label === undefined ? undefined : await openLabel({ label, labelMap }, image, file);
  const labels = counted && labelSlices(counted, labelMap);
  const classVoxels = new Map<number, number>();
  const values = fewValues();
  const foreground: number[][] = [];
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [index, ofLabel, sample] = [0, labels?.(), sampler()];
  try {
    for await (const slice of image.slices()) {
      const z = index % image.size[2];
      if (z === 0 && index > 0) {
        foreground.push(sample.values());
        await closed(ofLabel);
        [ofLabel, sample] = [labels?.(), sampler()];
      }
      const range = rangeOf(slice);
      values.add(slice);
      [lowest, highest] = [Math.min(lowest, range.lowest), Math.max(highest, range.highest)];
      if (range.highest > airThreshold) grow(boxes.aboveAir, slice, airThreshold, image.size[0], z);
      if (range.highest > 0) grow(boxes.aboveZero, slice, 0, image.size[0], z);
      const found = await ofLabel?.next();
      if (found && !found.done) {
        if (index < image.size[2]) countClasses(found.value, classVoxels);
        sample.add(slice, found.value);
      }
      index++;
    }
    await closed(ofLabel);
  } finally {
    await ofLabel?.return();
  }
  foreground.push(sample.values());
  const few = values.count();
  return {
    ...facts,
    voxels: {
      lowest,
      highest,
      boxes: { aboveAir: upright(sizeOf(boxes.aboveAir)), aboveZero: upright(sizeOf(boxes.aboveZero)) },
      ...(few !== undefined && { fewValues: few }),
      ...(label !== undefined && { classVoxels: Object.fromEntries(classVoxels) }),
      foreground,
    },
  };
}

/**
 * Reads to the end, which closes the file and compares its checksum.
 * @throws DataError when the file is damaged behind its last slice
 */
async function closed(slices: AsyncGenerator<unknown, void> | undefined): Promise<void> {
  while (slices && !(await slices.next()).done);
}

/** The label in the order of the image's voxels; one in another order, which is rare, is held whole. */
async function openLabel(
  files: LabelFiles,
  image: VolumeSlices,
  imageFile: string,
): Promise<Pick<VolumeSlices, 'slices'>> {
  const label = await openLabelSlices(files.label, {
    grid: image,
    needed: countsAsClass(files.labelMap),
  });
  requireOneChannel(label, files.label);
  if (placementOf(label, image, files, imageFile) === 'same-order') return label;
  const { data, size } = await readLabelOnGrid(files, image, imageFile);
  const voxels = size[0] * size[1];
  return {
    slices: async function* () {
      for (let z = 0; z < size[2]; z++) yield data.subarray(z * voxels, (z + 1) * voxels);
    },
  };
}

/** Of images of 8 bits nearly all have more; labels of whole bodies, which may have more too, are rare. */
const mostValues = 64;
/** Numbers of classes; values of images with few of them are seldom so low. */
const highestClass = 255;

/** Counts the values of what may be a label; what is none shows within its first voxels. */
function fewValues(): { add(slice: VoxelArray): void; count(): number | undefined } {
  const seen = new Set<number>();
  let labelLike = true;
  return {
    add: (slice) => {
      let last: number | undefined;
      for (let i = 0; labelLike && i < slice.length; i++) {
        const value = slice[i]!;
        if (value === last) continue;
        last = value;
        labelLike =
          Number.isInteger(value) &&
          value >= 0 &&
          value <= highestClass &&
          seen.add(value).size <= mostValues;
      }
    },
    count: () => (labelLike ? seen.size : undefined),
  };
}

/** The label's slices, mapped, from the first one each time. */
function labelSlices(
  label: Pick<VolumeSlices, 'slices'>,
  map: LabelMap | undefined,
): () => AsyncGenerator<ArrayLike<number>, void> {
  const mapped = (value: number) => map?.[String(value)] ?? map?.['*'] ?? value;
  return async function* () {
    for await (const slice of label.slices()) yield map ? Float64Array.from(slice, mapped) : slice;
  };
}

interface Box {
  readonly low: [number, number, number];
  readonly high: [number, number, number];
}

const emptyBox = (): Box => ({
  low: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  high: [-1, -1, -1],
});

const sizeOf = ({ low, high }: Box): Triple =>
  mapAxes(AXES, (axis) => (high[axis] < 0 ? 0 : high[axis] - low[axis] + 1));

function rangeOf(slice: VoxelArray): { lowest: number; highest: number } {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < slice.length; i++) {
    const value = slice[i]!;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  return { lowest, highest };
}

/** The box with what is above a value in a slice of rows of `width`. */
function grow({ low, high }: Box, slice: VoxelArray, above: number, width: number, z: number): void {
  let seen = false;
  for (let i = 0; i < slice.length; i++) {
    if (!(slice[i]! > above)) continue;
    const x = i % width;
    const y = (i - x) / width;
    if (x < low[0]) low[0] = x;
    if (x > high[0]) high[0] = x;
    if (y < low[1]) low[1] = y;
    if (y > high[1]) high[1] = y;
    seen = true;
  }
  if (!seen) return;
  low[2] = Math.min(low[2], z);
  high[2] = Math.max(high[2], z);
}

function countClasses(label: ArrayLike<number>, counts: Map<number, number>): void {
  let [last, run] = [0, 0];
  const keep = () => last !== 0 && counts.set(last, (counts.get(last) ?? 0) + run);
  for (let i = 0; i < label.length; i++) {
    const value = label[i]!;
    if (value === last) run++;
    else {
      keep();
      [last, run] = [value, 1];
    }
  }
  keep();
}

/**
 * Quantiles of the values where a label is not background. Every value is taken at first, and every second of
 * those whenever there are too many.
 */
function sampler(): { add(slice: VoxelArray, label: ArrayLike<number>): void; values(): number[] } {
  let [kept, stride, seen]: [number[], number, number] = [[], 1, 0];
  return {
    add: (slice, label) => {
      for (let i = 0; i < slice.length; i++) {
        if (label[i] === 0) continue;
        if (seen % stride === 0) kept.push(slice[i]!);
        seen++;
        if (kept.length < 2 * samplesOfCase) continue;
        kept = kept.filter((_, place) => place % 2 === 0);
        stride *= 2;
      }
    },
    values: () => {
      const sorted = Float64Array.from(kept).sort();
      if (sorted.length === 0) return [];
      return Array.from({ length: quantiles }, (_, i) => percentile(sorted, (100 * i) / (quantiles - 1)));
    },
  };
}

/** As `surveyCase`, with the sentence of a DataError as the answer, which a thread can give back. */
export async function surveyOrProblem(
  task: SurveyTask,
): Promise<SurveyedScan | { readonly id: string; readonly file: string; readonly problem: string }> {
  try {
    return await surveyCase(task);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { id: task.id, file: itemAt(task.images, 0), problem: error.message };
  }
}
