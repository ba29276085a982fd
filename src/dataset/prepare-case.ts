import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { DataError } from '../errors.js';
import { readVolume, type Volume } from '../volume/index.js';
import { writeChunkedFile } from './chunked-file.js';
import { classPositions } from './class-positions.js';
import { settingsFingerprint, sourceFingerprint } from './fingerprint.js';
import { intensityStatistics } from './intensity-statistics.js';
import { toClassValues } from './label-values.js';
import type { PreparedCase } from './prepared-index.js';
import { type PreprocessedImage, type Preprocessing, preprocessImage, preprocessLabel } from './preprocessing.js';
import { readChannels } from './read-channels.js';
import { requireSameGrid } from './same-grid.js';
import type { SourceCase } from './source-case.js';

export interface PrepareCaseTask {
  readonly out: string;
  readonly source: SourceCase;
  readonly preprocessing: Preprocessing;
  readonly classes: Readonly<Record<string, string>>;
}

/**
 * Makes one case: read, check, preprocess, write image, label and last the record `<name>.case.json`, each atomically.
 * A record on disk therefore means a whole case. Holds one case in memory.
 * @throws DataError when the case cannot be used: missing or truncated file, grids that differ, NaN or infinity, foreign label value
 */
export async function prepareCase({ out, source, preprocessing, classes }: PrepareCaseTask): Promise<PreparedCase> {
  if (source.problem !== undefined) throw new DataError(source.problem, problemFile(source));
  const files = [...source.images.map((path) => ['image', path] as const), ...(source.label ? [['label', source.label] as const] : [])];
  const sources = [];
  for (const [role, path] of files) sources.push(await sourceFingerprint(path, role));
  const hashes = sources.map(({ sha256 }) => sha256);

  const original = await readChannels(source.images);
  const originalLabel = source.label === undefined ? undefined : await readLabel(source.label, original, source, classes);
  const processed = preprocessImage(original, preprocessing, source.images.join(', '));
  const imageFile = `${source.id}.image.hmv`;
  writeVolume(join(out, imageFile), processed.image, processed.steps, hashes.slice(0, source.images.length));

  const label = originalLabel && {
    file: `${source.id}.label.hmv`,
    volume: preprocessLabel(originalLabel, preprocessing, processed),
  };
  const positions = label ? classPositions(label.volume.data) : {};
  if (label) writeVolume(join(out, label.file), label.volume, labelSteps(processed, source), hashes.slice(-1), positions);

  const record: PreparedCase = {
    id: source.id,
    dataset: source.dataset,
    name: source.name,
    split: source.split,
    image: imageFile,
    ...(label && { label: label.file }),
    sourceImages: [...source.images],
    ...(source.label !== undefined && { sourceLabel: source.label }),
    ...(source.labelMap && { labelMap: source.labelMap }),
    ...gridOf(processed.image),
    channels: processed.image.channels,
    source: gridOf(original),
    preprocessing,
    steps: [...processed.steps],
    resampledSize: [...processed.resampledSize],
    cropStart: [...processed.cropStart],
    intensity: intensityStatistics(processed.unscaled, preprocessing.foregroundThreshold),
    classVoxels: Object.fromEntries(
      Object.entries(positions).map(([value, entry]) => [value, { voxels: entry.voxels, stored: entry.positions.length }]),
    ),
    fingerprint: { settings: settingsFingerprint(preprocessing, classes, source), sources },
  };
  await writeFileAtomic(join(out, caseRecordFile(source.id)), JSON.stringify(record));
  return record;
}

/** Where the record of a case stands, relative to the prepared folder. */
export function caseRecordFile(id: string): string {
  return `${id}.case.json`;
}

function problemFile({ images, label }: SourceCase): { file?: string } {
  const file = images[0] ?? label;
  return file === undefined ? {} : { file };
}

async function readLabel(file: string, image: Volume, source: SourceCase, classes: PrepareCaseTask['classes']): Promise<Volume> {
  const label = await readVolume(file);
  requireSameGrid(image, source.images[0]!, label, file, 'label');
  return toClassValues(label, classes, source.labelMap, file);
}

function writeVolume(
  file: string,
  { size, spacing, affine, channels, data }: Volume,
  steps: readonly string[],
  sources: readonly string[],
  positions?: Parameters<typeof writeChunkedFile>[2],
): void {
  const grid = { size: [...size] as [number, number, number], spacing: [...spacing] as [number, number, number] };
  const described = { ...grid, affine: { rows: [...affine.rows] }, channels, steps: [...steps], sources: [...sources] };
  if (data instanceof Uint8Array) writeChunkedFile(file, { ...described, dtype: 'uint8', data }, positions);
  else if (data instanceof Uint16Array) writeChunkedFile(file, { ...described, dtype: 'uint16', data }, positions);
  else writeChunkedFile(file, { ...described, dtype: 'float32', data: Float32Array.from(data) }, positions);
}

function labelSteps({ steps }: PreprocessedImage, { labelMap }: SourceCase): string[] {
  const geometric = steps.filter((step) => /^(reorient|resample|crop)/.test(step)).map((step) => step.replace('linear', 'nearest'));
  return labelMap ? [`map values ${JSON.stringify(labelMap)}`, ...geometric] : geometric;
}

function gridOf({ size, spacing, affine }: Volume): PreparedCase['source'] {
  return { size: [...size], spacing: [...spacing], affine: { rows: [...affine.rows] } };
}
