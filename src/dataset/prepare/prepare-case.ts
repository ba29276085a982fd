import { join } from 'node:path';
import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  type ChannelParts,
  type Grid,
  openLabelSlices,
  shiftAffine,
  type UprightSlices,
  uprightSlices,
  type VolumeSlices,
} from '../../volume/index.js';
import { writeWholeFile } from '../../whole-file.js';
import type { ChunkedArray, ChunkedHeader } from '../cache/chunked-format.js';
import { classFinder } from '../cache/class-positions.js';
import { type Box, type SpilledVolume, spillVolume } from '../cache/spilled-volume.js';
import { writeChunkedFile } from '../cache/write-chunked.js';
import type { SourceCase } from '../index/listed-case.js';
import { type PreparedCase, storedCase } from '../index/prepared-index.js';
import { settingsFingerprint, sourceFingerprint } from './fingerprint.js';
import { intensityCounter } from './intensity-statistics.js';
import { type ClassArray, classValues, classValueType, requireOneChannel } from './label-values.js';
import { requirePossibleCase } from './possible-case.js';
import { intensityScaling, noForeground, type Preprocessing, preprocessingSteps } from './preprocessing.js';
import { openChannels } from './read-channels.js';
import { requireSameGrid } from './same-grid.js';

/** What makes one prepared case. */
export interface PrepareCaseTask {
  readonly out: string;
  readonly source: SourceCase;
  readonly preprocessing: Preprocessing;
  readonly classes: Readonly<Record<string, string>>;
}

/**
 * Makes one case: read, check, preprocess, write image, label and last the record
 * `<name>.case.json`, each atomically. A record on disk therefore means a whole case.
 * Scans are read slice by slice and wait on disk, so that slabs alone are in memory.
 * @throws DataError when the case cannot be used: missing or truncated file,
 *   grids that differ, NaN or infinity, foreign label value, no foreground
 */
export async function prepareCase(task: PrepareCaseTask): Promise<PreparedCase> {
  const { out, source, preprocessing } = task;
  if (source.problem !== undefined) throw new DataError(source.problem, problemFile(source));
  const files = [
    ...source.images.map((path) => ['image', path] as const),
    ...(source.label ? [['label', source.label] as const] : []),
  ];
  const sources = [];
  for (const [role, path] of files) sources.push(await sourceFingerprint(path, role));
  const hashes = sources.map(({ sha256 }) => sha256);

  const original = await openChannels(source.images);
  const scan = source.images.join(', ');
  requirePossibleCase(original, original.channels, preprocessing, scan);
  const image = uprightSlices(original, preprocessing.spacing, 'linear');
  const waiting: SpilledVolume[] = [];
  const spill = async (slices: UprightSlices, dtype: ChunkedHeader['dtype'], threshold: number | null) => {
    const spilled = await spillVolume(join(out, source.id), slices, dtype, threshold);
    waiting.push(spilled);
    return spilled;
  };
  try {
    const readImage = () => spill(image, 'float32', preprocessing.foregroundThreshold);
    const readLabel = async (file: string) => {
      const upright = await openLabel(file, original, task);
      return { upright, spilled: await spill(upright, classValueType(task.classes), null) };
    };
    // Both at once: one is decompressed, on a thread of Node's own, while the other is resampled.
    const [spilledImage, label] = await allOrFirstError([
      readImage(),
      source.label === undefined ? undefined : readLabel(source.label),
    ]);
    const written = writeImage(image, spilledImage, task, hashes.slice(0, source.images.length));
    const classVoxels = label
      ? writeLabel(label.upright, label.spilled, written.box, task, hashes.slice(-1))
      : {};
    const record: PreparedCase = {
      id: source.id,
      dataset: source.dataset,
      name: source.name,
      split: source.split,
      image: imageFile(source),
      ...(label && { label: labelFile(source) }),
      sourceImages: [...source.images],
      ...(source.label !== undefined && { sourceLabel: source.label }),
      ...(source.labelMap && { labelMap: source.labelMap }),
      ...written.grid,
      channels: image.channels,
      source: gridRecord(original),
      preprocessing,
      steps: preprocessingSteps(preprocessing),
      resampledSize: image.grid.size,
      cropStart: written.box.start,
      intensity: written.intensity,
      ...(written.zScores && { zScores: written.zScores }),
      classVoxels,
      fingerprint: { settings: settingsFingerprint(preprocessing, task.classes, source), sources },
    };
    await writeWholeFile(join(out, caseRecordFile(source.id)), JSON.stringify(storedCase(record, out)));
    return record;
  } finally {
    for (const spilled of waiting) spilled.remove();
  }
}

/**
 * Waits for both to end, whether well or not; so that one fault
 * of several is always the same, the first in order counts.
 */
async function allOrFirstError<A, B>(
  promises: readonly [Promise<A>, Promise<B> | undefined],
): Promise<[A, B | undefined]> {
  await Promise.allSettled(promises);
  return [await promises[0], await promises[1]];
}

/** Where the record of a case stands, relative to the prepared folder. */
export function caseRecordFile(id: string): string {
  return `${id}.case.json`;
}

function problemFile({ images, label }: SourceCase): { file?: string } {
  const file = images[0] ?? label;
  return file === undefined ? {} : { file };
}

const imageFile = ({ id }: SourceCase): string => `${id}.image.hmv`;
const labelFile = ({ id }: SourceCase): string => `${id}.label.hmv`;

async function openLabel(
  file: string,
  image: VolumeSlices,
  { source, classes, preprocessing }: PrepareCaseTask,
): Promise<UprightSlices> {
  const label = await openLabelSlices(file);
  requireSameGrid(image, itemAt(source.images, 0), label, file, 'label');
  requireOneChannel(label, file);
  const values = classValues(classes, source.labelMap, file);
  const checked = async function* () {
    for await (const slice of label.slices()) {
      values.require(slice);
      yield slice;
    }
  };
  const upright = uprightSlices({ ...label, slices: checked }, preprocessing.spacing, 'nearest');
  const mapped = async function* () {
    let into: ClassArray | undefined;
    for await (const { values: found, ...place } of upright.slices()) {
      into = values.of(found, into);
      yield { ...place, values: into };
    }
  };
  return { ...upright, slices: mapped };
}

/** The cropped image, scaled, with statistics of what it was scaled from. */
function writeImage(
  { grid, channels }: UprightSlices,
  spilled: SpilledVolume,
  { out, source, preprocessing }: PrepareCaseTask,
  hashes: readonly string[],
): { box: Box; grid: PreparedCase['source'] } & Pick<PreparedCase, 'intensity' | 'zScores'> {
  const whole: Box = { start: [0, 0, 0], size: grid.size };
  const threshold = preprocessing.foregroundThreshold;
  const box = threshold === null ? whole : foregroundBox(spilled, threshold, source);
  const channelParts = (of: Box, channel: number): ChannelParts => {
    return function* () {
      for (const slab of spilled.slabs(of)) yield slab.subarray(...channelBounds(slab, channel, channels));
    };
  };
  const scalings = Array.from({ length: channels }, (_, channel) =>
    intensityScaling(preprocessing, channelParts(whole, channel)),
  );
  // What is above the threshold lies in the box, so that one pass over the box is enough.
  const counters = spilled.above.map((voxels) => intensityCounter(voxels, threshold));
  const scaledSlabs = function* () {
    let scaled = new Float32Array(0);
    for (const slab of spilled.slabs(box)) {
      if (scaled.length !== slab.length) scaled = new Float32Array(slab.length);
      for (const [channel, { scale }] of scalings.entries()) {
        const bounds = channelBounds(slab, channel, channels);
        const values = slab.subarray(...bounds);
        itemAt(counters, channel).add(values);
        scale(values, scaled.subarray(...bounds));
      }
      yield scaled;
    }
  };
  const cropped = gridRecord({
    size: box.size,
    spacing: grid.spacing,
    affine: shiftAffine(grid.affine, box.start),
  });
  const described = { ...cropped, channels, steps: preprocessingSteps(preprocessing), sources: [...hashes] };
  writeChunkedFile(join(out, imageFile(source)), { ...described, dtype: 'float32' }, scaledSlabs());
  const zScores = scalings.flatMap(({ zScore }) => zScore ?? []);
  return {
    box,
    grid: cropped,
    intensity: counters.map((counter) => counter.statistics()),
    ...(zScores.length > 0 && { zScores }),
  };
}

/** @throws DataError when no voxel is above the threshold */
function foregroundBox({ foreground }: SpilledVolume, threshold: number, source: SourceCase): Box {
  if (foreground) return foreground;
  throw noForeground(threshold, source.images.join(', '));
}

/** The label in its image's box, with the positions of its classes. */
function writeLabel(
  { grid }: UprightSlices,
  spilled: SpilledVolume,
  box: Box,
  { out, source, preprocessing, classes }: PrepareCaseTask,
  hashes: readonly string[],
): PreparedCase['classVoxels'] {
  const finder = classFinder(spilled.slabs(box));
  const slabs = function* () {
    for (const slab of spilled.slabs(box)) {
      finder.add(slab);
      yield slab;
    }
  };
  const cropped = gridRecord({
    size: box.size,
    spacing: grid.spacing,
    affine: shiftAffine(grid.affine, box.start),
  });
  const described = {
    ...cropped,
    channels: 1,
    steps: labelSteps(preprocessing, source),
    sources: [...hashes],
  };
  writeChunkedFile(
    join(out, labelFile(source)),
    { ...described, dtype: classValueType(classes) },
    slabs(),
    finder.classes,
  );
  const counts = Object.entries(finder.classes).map(([value, { voxels, positions }]) => [
    value,
    { voxels, stored: positions.length },
  ]);
  return Object.fromEntries(counts);
}

function labelSteps(preprocessing: Preprocessing, { labelMap }: SourceCase): string[] {
  const geometric = preprocessingSteps(preprocessing).filter((step) =>
    /^(reorient|resample|crop)/.test(step),
  );
  const nearest = geometric.map((step) => step.replace('linear', 'nearest'));
  return labelMap ? [`map values ${JSON.stringify(labelMap)}`, ...nearest] : nearest;
}

/** Where a channel begins and ends in a slab. */
function channelBounds(slab: ChunkedArray, channel: number, channels: number): [start: number, end: number] {
  const voxels = slab.length / channels;
  return [channel * voxels, (channel + 1) * voxels];
}

function gridRecord({ size, spacing, affine }: Grid): PreparedCase['source'] {
  return { size, spacing, affine: { rows: [...affine.rows] } };
}
