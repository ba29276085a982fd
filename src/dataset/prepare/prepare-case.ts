import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  type ChannelParts,
  type Grid,
  shiftAffine,
  type UprightSlices,
  uprightSlices,
  type VolumeSlices,
} from '../../volume/index.js';
import { writeWholeFile } from '../../whole-file.js';
import type { ChunkedArray, ChunkedHeader } from '../cache/chunked-format.js';
import { annotatedKey, type ClassPositions, classFinder } from '../cache/class-positions.js';
import { type Box, type SpilledVolume, spillVolume } from '../cache/spilled-volume.js';
import { codesWorthwhile, type ValueCodes, valueCodes } from '../cache/value-codes.js';
import { writeChunkedFile } from '../cache/write-chunked.js';
import type { SourceCase } from '../index/listed-case.js';
import { type PreparedCase, storedCase } from '../index/prepared-index.js';
import { requireSource, settingsFingerprint, sourceFingerprint } from './fingerprint.js';
import { intensityCounter } from './intensity-statistics.js';
import { labelPaths, openLabelOnGrid } from './label-files.js';
import { partCounter, type SurvivalWatch, watchSurvival } from './label-survival.js';
import { type ClassArray, classValues, classValueType, nothingLabelled } from './label-values.js';
import { requirePossibleCase } from './possible-case.js';
import { intensityScaling, noForeground, type Preprocessing, preprocessingSteps } from './preprocessing.js';
import { openChannels } from './read-channels.js';

/** What makes one prepared case. */
export interface PrepareCaseTask {
  readonly out: string;
  readonly source: SourceCase;
  readonly preprocessing: Preprocessing;
  readonly classes: Readonly<Record<string, string>>;
  /** The label value of voxels that nobody labelled. */
  readonly ignore?: number | undefined;
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
    ...labelPaths(source).map((path) => ['label', path] as const),
  ];
  for (const [role, path] of files) await requireSource(path, role);
  const original = await openChannels(source.images, preprocessing.notFinite);
  const scan = source.images.join(', ');
  requirePossibleCase(original, original.channels, preprocessing, scan);
  const sources = [];
  for (const [role, path] of files) sources.push(await sourceFingerprint(path, role));
  const hashes = sources.map(({ sha256 }) => sha256);

  const image = uprightSlices(original, preprocessing.spacing, 'linear');
  const waiting: SpilledVolume[] = [];
  const spill = async (
    slices: UprightSlices,
    dtype: ChunkedHeader['dtype'],
    threshold: Preprocessing['foregroundThreshold'],
  ) => {
    const spilled = await spillVolume(join(out, source.id), slices, dtype, threshold);
    waiting.push(spilled);
    return spilled;
  };
  try {
    const readImage = () => spill(image, 'float32', preprocessing.foregroundThreshold);
    const readLabel = async (file: string) => {
      const opened = await openLabel(file, original, task);
      return {
        ...opened,
        spilled: await spill(opened.upright, classValueType(task.classes, task.ignore), null),
      };
    };
    // Both at once: one is decompressed, on a thread of Node's own, while the other is resampled.
    const [spilledImage, label] = await allOrFirstError([
      readImage(),
      source.label === undefined ? undefined : readLabel(source.label),
    ]);
    const written = writeImage(image, spilledImage, task, hashes.slice(0, source.images.length));
    const { preparedParts, ...counted } = label
      ? writeLabel(label.upright, label.spilled, written.box, task, hashes.slice(source.images.length))
      : { classVoxels: {}, preparedParts: new Map<number, number>() };
    const found = await label?.watch.survival(written.box, label.classSlices, preparedParts);
    const { [String(task.ignore)]: _, ...survival } = found ?? {};
    const record: PreparedCase = {
      id: source.id,
      dataset: source.dataset,
      name: source.name,
      ...placeOf(source),
      image: imageFile(source),
      ...(label && { label: labelFile(source) }),
      sourceImages: [...source.images],
      ...(source.label !== undefined && { sourceLabel: source.label }),
      ...(source.masks && { sourceMasks: { ...source.masks, files: [...source.masks.files] } }),
      ...(source.aligned && { aligned: true }),
      ...(source.labelMap && { labelMap: source.labelMap }),
      ...(source.fold !== undefined && { fold: source.fold }),
      ...written.grid,
      channels: image.channels,
      source: gridRecord(original),
      preprocessing,
      steps: preprocessingSteps(preprocessing),
      resampledSize: image.grid.size,
      cropStart: written.box.start,
      intensity: written.intensity,
      ...(written.zScores && { zScores: written.zScores }),
      ...counted,
      ...(found && { labelSurvival: survival }),
      fingerprint: { settings: settingsFingerprint(preprocessing, task, source), sources },
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

/** Where a case stands among the others, which may change without its files. */
export function placeOf({ split, group }: SourceCase): Pick<PreparedCase, 'split' | 'group'> {
  return { split, group };
}

async function openLabel(
  file: string,
  image: VolumeSlices,
  { source, classes, ignore, preprocessing }: PrepareCaseTask,
): Promise<OpenedLabel> {
  const { masks, aligned } = source;
  const { slices: label, orientation } = await openLabelOnGrid(
    { label: file, masks, aligned, labelMap: source.labelMap },
    image,
    itemAt(source.images, 0),
  );
  const values = classValues(classes, source.labelMap, file, ignore);
  const classSlices = async function* () {
    let into: ClassArray | undefined;
    for await (const slice of label.slices()) {
      into = values.of(slice, into);
      yield into;
    }
  };
  const watch = watchSurvival(label, preprocessing.spacing, orientation);
  const slices = () => watch.pass(classSlices());
  const upright = uprightSlices({ ...label, slices }, preprocessing.spacing, 'nearest', orientation);
  return { upright, watch, classSlices };
}

/** A label on its way to the prepared grid. */
interface OpenedLabel {
  readonly upright: UprightSlices;
  readonly watch: SurvivalWatch;
  /** The slices of the file as class values, from the first on. */
  readonly classSlices: () => AsyncGenerator<ClassArray, void>;
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
    intensityScaling(preprocessing, channelParts(whole, channel), itemAt(spilled.backgrounds, channel)),
  );
  // What is foreground lies in the box, so that one pass over the box is enough.
  const counters = spilled.foregroundVoxels.map((voxels, channel) =>
    intensityCounter(voxels, itemAt(spilled.backgrounds, channel)),
  );
  const scaledSlabs = function* (see: (values: ChunkedArray, channel: number) => void) {
    let scaled = new Float32Array(0);
    for (const slab of spilled.slabs(box)) {
      if (scaled.length !== slab.length) scaled = new Float32Array(slab.length);
      for (const [channel, { scale }] of scalings.entries()) {
        const bounds = channelBounds(slab, channel, channels);
        const values = slab.subarray(...bounds);
        see(values, channel);
        scale(values, scaled.subarray(...bounds));
      }
      yield scaled;
    }
  };
  const voxels = box.size[0] * box.size[1] * box.size[2] * channels;
  const codes = valueCodes(
    scaledSlabs(() => {}),
    codesWorthwhile(voxels),
  );
  const slabs = scaledSlabs((values, channel) => itemAt(counters, channel).add(values));
  const cropped = gridRecord({
    size: box.size,
    spacing: grid.spacing,
    affine: shiftAffine(grid.affine, box.start),
  });
  const described = { ...cropped, channels, steps: preprocessingSteps(preprocessing), sources: [...hashes] };
  const file = join(out, imageFile(source));
  if (codes)
    writeChunkedFile(file, { ...described, dtype: 'uint16' }, encodedSlabs(slabs, codes), {}, codes.values);
  else writeChunkedFile(file, { ...described, dtype: 'float32' }, slabs);
  const zScores = scalings.flatMap(({ zScore }) => zScore ?? []);
  return {
    box,
    grid: cropped,
    intensity: counters.map((counter) => counter.statistics()),
    ...(zScores.length > 0 && { zScores }),
  };
}

/** Slabs of codes; each is to be used before the next is asked for. */
function* encodedSlabs(slabs: Iterable<Float32Array>, { encode }: ValueCodes): Generator<Uint16Array> {
  let codes = new Uint16Array(0);
  for (const slab of slabs) {
    if (codes.length !== slab.length) codes = new Uint16Array(slab.length);
    encode(slab, codes);
    yield codes;
  }
}

/** @throws DataError when no voxel is foreground */
function foregroundBox(
  { foreground }: SpilledVolume,
  threshold: number | 'background',
  source: SourceCase,
): Box {
  if (foreground) return foreground;
  throw noForeground(threshold, source.images.join(', '));
}

/**
 * The label in its image's box, with the positions of its classes. Returns what was written.
 * @throws DataError when nobody labelled a voxel of it
 */
function writeLabel(
  { grid }: UprightSlices,
  spilled: SpilledVolume,
  box: Box,
  { out, source, preprocessing, classes, ignore }: PrepareCaseTask,
  hashes: readonly string[],
): Pick<PreparedCase, 'classVoxels' | 'annotatedVoxels'> & { preparedParts: ReadonlyMap<number, number> } {
  const finder = classFinder(spilled.slabs(box), undefined, ignore);
  const { annotated } = finder;
  if (annotated?.voxels === 0) {
    rmSync(join(out, imageFile(source)), { force: true });
    throw nothingLabelled(source.label ?? '', ignore ?? 0);
  }
  const parts = partCounter([box.size[0], box.size[1]]);
  const plane = box.size[0] * box.size[1];
  const slabs = function* () {
    for (const slab of spilled.slabs(box)) {
      finder.add(slab);
      for (let start = 0; start < slab.length; start += plane) parts.add(slab.subarray(start, start + plane));
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
    { ...described, dtype: classValueType(classes, ignore) },
    slabs(),
    { ...finder.classes, ...(annotated && { [annotatedKey]: annotated }) },
  );
  const countOf = ({ voxels, positions }: ClassPositions) => ({ voxels, stored: positions.length });
  return {
    classVoxels: Object.fromEntries(
      Object.entries(finder.classes).map(([value, positions]) => [value, countOf(positions)]),
    ),
    ...(annotated && { annotatedVoxels: countOf(annotated) }),
    preparedParts: parts.counts(),
  };
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
