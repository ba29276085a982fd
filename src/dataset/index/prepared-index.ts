import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError, errorCode } from '../../errors.js';
import { firstIssue } from '../../first-issue.js';
import { jsonOrUndefined } from '../../json.js';
import { tripleOf, type Volume } from '../../volume/index.js';
import { withChunkedFile } from '../cache/chunked-file.js';
import { classSurvivalSchema } from '../prepare/label-survival.js';
import { preprocessingSchema } from '../prepare/preprocessing.js';

const triple = tripleOf(z.number());
const grid = z.object({ size: triple, spacing: triple, affine: z.object({ rows: z.array(z.number()) }) });
const intensityStatistics = z.object({
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  std: z.number(),
  median: z.number(),
  p005: z.number(),
  p995: z.number(),
});

/** One prepared case, with the way back to its source. Also the content of `<dataset>/<name>.case.json`. */
export const preparedCaseSchema = z.object({
  /** `dataset/name`. */
  id: z.string(),
  dataset: z.string(),
  name: z.string(),
  split: z.enum(['training', 'validation', 'test']),
  /** What the case shares with others that must be on one side of a split, such as its patient. */
  group: z.string().optional(),
  /** Prepared volumes, relative to the prepared folder. */
  image: z.string(),
  label: z.string().optional(),
  /** Absolute paths of what they were made from. */
  sourceImages: z.array(z.string()),
  sourceLabel: z.string().optional(),
  labelMap: z.record(z.string(), z.int()).optional(),
  /** Prepared grid: after resampling and crop. */
  ...grid.shape,
  channels: z.int(),
  /** The image's own grid, as its file has it. */
  source: grid,
  preprocessing: preprocessingSchema,
  steps: z.array(z.string()),
  /** Size after resampling, and the crop's first voxel in it. */
  resampledSize: triple,
  cropStart: triple,
  /** Source intensities (HU) inside the crop, above the foreground threshold, per channel. */
  intensity: z.array(intensityStatistics),
  /** What each channel's z-score subtracted and divided by, where the intensities were scaled so. */
  zScores: z.array(z.object({ mean: z.number(), std: z.number() })).optional(),
  /** For each class value in the prepared label: its voxels, and how many positions the label file stores. */
  classVoxels: z.record(z.string(), z.object({ voxels: z.int(), stored: z.int() })),
  /** What became of each class of the label's file on the way, by its value; of cases with a label. */
  labelSurvival: z.record(z.string(), classSurvivalSchema).optional(),
  /** What the case was made from; a later run leaves it alone while this stays so. */
  fingerprint: z.object({
    settings: z.string(),
    sources: z.array(
      z.object({ path: z.string(), bytes: z.number(), modifiedMs: z.number(), sha256: z.string() }),
    ),
  }),
});
export type PreparedCase = z.infer<typeof preparedCaseSchema>;
export type IntensityStatistics = z.infer<typeof intensityStatistics>;

const datasetSummary = z.object({
  modality: z.enum(['ct', 'mr']),
  classes: z.record(z.string(), z.string()),
  preprocessing: preprocessingSchema,
  channels: z.int(),
  counts: z.object({ training: z.int(), validation: z.int(), test: z.int(), skipped: z.int() }),
  /** Per axis over the prepared cases; null when there are none. */
  sourceSpacing: z.object({ min: triple, median: triple, max: triple }).nullable(),
  preparedSize: z.object({ min: triple, median: triple, max: triple }).nullable(),
  /** Means over cases of their own statistics, per channel. */
  intensity: z.array(intensityStatistics),
});
export type DatasetSummary = z.infer<typeof datasetSummary>;

/** A case that cannot be used. */
export const skippedCaseSchema = z.object({
  id: z.string(),
  dataset: z.string(),
  reason: z.string(),
  file: z.string().optional(),
});

const preparedIndexSchema = z.object({
  schema: z.literal(1),
  seed: z.int(),
  validationShare: z.number(),
  datasets: z.record(z.string(), datasetSummary),
  cases: z.array(preparedCaseSchema),
  skipped: z.array(skippedCaseSchema),
});
export type PreparedIndex = z.infer<typeof preparedIndexSchema>;
export type SkippedCase = z.infer<typeof skippedCaseSchema>;

/** The file of a prepared folder that says what is in it. */
export const indexFileName = 'index.json';

/**
 * Reads `index.json` of a prepared folder.
 * @throws DataError when the folder holds none, or one of another version
 */
export async function readPreparedIndex(dir: string): Promise<PreparedIndex> {
  const index = await readPreparedIndexIfAny(dir);
  if (index) return index;
  const file = join(dir, indexFileName);
  throw new DataError(
    `${file} does not exist: make it with "hybridmim prepare --datasets datasets.json --out ${dir}"`,
    { file },
  );
}

/** As `readPreparedIndex`, but undefined where nothing has been prepared yet. */
export async function readPreparedIndexIfAny(dir: string): Promise<PreparedIndex | undefined> {
  const file = join(dir, indexFileName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'ENOENT') return undefined;
    throw new DataError(`${file} cannot be read (${code})`, { file }, { cause });
  }
  const parsed = preparedIndexSchema.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new DataError(
    `${file} is no index of this version (${field}: ${message}): delete it and run prepare again`,
    { file, field },
  );
}

/**
 * A whole prepared case in memory, on its prepared grid.
 * @param dir the prepared folder
 * @throws DataError when a file is missing or damaged
 */
export async function readPreparedVolume(
  dir: string,
  prepared: Pick<PreparedCase, 'image' | 'label'>,
): Promise<{ image: Volume; label?: Volume }> {
  const image = readWhole(join(dir, prepared.image));
  return prepared.label === undefined ? { image } : { image, label: readWhole(join(dir, prepared.label)) };
}

function readWhole(file: string): Volume {
  return withChunkedFile(file, ({ header: { size, spacing, affine, channels }, readBox }) => {
    return { size, spacing, affine, channels, data: readBox([0, 0, 0], size) };
  });
}
