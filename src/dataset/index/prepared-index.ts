import { dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { firstIssue } from '../../first-issue.js';
import { jsonOrUndefined } from '../../json.js';
import { readRecordTextIfAny } from '../../text-file.js';
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
  /**
   * Paths of what they were made from: absolute in memory. Files have them relative to the prepared folder, which
   * says less of a machine and its patients, and lets both be moved together.
   */
  sourceImages: z.array(z.string()),
  sourceLabel: z.string().optional(),
  /** Where the label is masks: what they were, in the order of classes. */
  sourceMasks: z
    .object({
      files: z.array(z.object({ value: z.int(), file: z.string() })),
      overlap: z.enum(['refuse', 'first', 'last']),
    })
    .optional(),
  /** Whether the label lies on the image's voxels whatever the headers say. */
  aligned: z.boolean().optional(),
  /** The fold that a data list puts the case into, where it was asked for. */
  fold: z.int().optional(),
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
  /** Where some voxels are ignored: those that are not, background too. */
  annotatedVoxels: z.object({ voxels: z.int(), stored: z.int() }).optional(),
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
  /** Regions that are learnt instead of the classes. */
  regions: z.record(z.string(), z.array(z.int())).optional(),
  /** The label value of voxels that losses, crops and metrics leave out. */
  ignore: z.int().optional(),
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

/** The same in a file: paths are relative, in the reason too, and `sources` lists those that it may name. */
export const storedSkippedSchema = skippedCaseSchema.extend({ sources: z.array(z.string()).optional() });
type StoredSkipped = z.infer<typeof storedSkippedSchema>;

const preparedIndexSchema = z.object({
  schema: z.literal(1),
  seed: z.int(),
  validationShare: z.number(),
  datasets: z.record(z.string(), datasetSummary),
  cases: z.array(preparedCaseSchema),
  skipped: z.array(storedSkippedSchema),
});
export type PreparedIndex = Omit<z.infer<typeof preparedIndexSchema>, 'skipped'> & {
  readonly skipped: readonly SkippedCase[];
};
export type SkippedCase = z.infer<typeof skippedCaseSchema>;

/** A case as the files of a prepared folder have it. */
export const storedCase = (prepared: PreparedCase, dir: string): PreparedCase =>
  withPaths(prepared, (path) => relative(dir, path));

/** A case of such a file, as it is in memory. Earlier versions wrote absolute paths, which stay as they are. */
export const openedCase = (stored: PreparedCase, dir: string): PreparedCase =>
  withPaths(stored, (path) => resolve(dir, path));

function withPaths(prepared: PreparedCase, pathOf: (path: string) => string): PreparedCase {
  const { sourceImages, sourceLabel, sourceMasks, fingerprint } = prepared;
  return {
    ...prepared,
    sourceImages: sourceImages.map(pathOf),
    ...(sourceLabel !== undefined && { sourceLabel: pathOf(sourceLabel) }),
    ...(sourceMasks && {
      sourceMasks: {
        ...sourceMasks,
        files: sourceMasks.files.map((mask) => ({ ...mask, file: pathOf(mask.file) })),
      },
    }),
    fingerprint: {
      ...fingerprint,
      sources: fingerprint.sources.map((source) => ({ ...source, path: pathOf(source.path) })),
    },
  };
}

/**
 * A case that cannot be used, as the files of a prepared folder have it.
 * @param paths of its sources, which its reason may name
 */
export function storedSkipped(
  { file, reason, ...skipped }: SkippedCase,
  paths: readonly string[],
  dir: string,
): StoredSkipped {
  const named = [...paths, ...(file === undefined ? [] : [file])];
  // Data files that a header names stand beside it, and a reason may name them as well.
  const known = [...named, ...named.map((path) => `${dirname(path)}/`)].sort((a, b) => b.length - a.length);
  const short = (path: string) => `${relative(dir, path)}${path.endsWith('/') ? '/' : ''}`;
  return {
    ...skipped,
    reason: withoutFolders(
      known.reduce((text, path) => text.replaceAll(path, short(path)), reason),
      named,
      dir,
    ),
    ...(file !== undefined && { file: relative(dir, file) }),
    sources: named.map(short),
  };
}

/** A reason with the sources' folders relative, where one is named by itself. */
function withoutFolders(reason: string, paths: readonly string[], dir: string): string {
  const folders = new Set(paths.map((path) => dirname(path)));
  const parts = reason.split(/(?<=[\s(])|(?=[\s,;:)])/);
  return parts.map((part) => (folders.has(part) ? relative(dir, part) : part)).join('');
}

/** A skipped case of such a file, as it is in memory. */
export function openedSkipped(
  { file, reason, sources = [], ...skipped }: StoredSkipped,
  dir: string,
): SkippedCase {
  const longestFirst = [...new Set(sources)].sort((a, b) => b.length - a.length);
  return {
    ...skipped,
    reason: longestFirst.reduce((text, path) => text.replaceAll(path, resolve(dir, path)), reason),
    ...(file !== undefined && { file: resolve(dir, file) }),
  };
}

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
  const text = await readRecordTextIfAny(file);
  if (text === undefined) return undefined;
  const parsed = preparedIndexSchema.safeParse(jsonOrUndefined(text));
  if (parsed.success) {
    const { cases, skipped, ...index } = parsed.data;
    return {
      ...index,
      cases: cases.map((stored) => openedCase(stored, dir)),
      skipped: skipped.map((stored) => openedSkipped(stored, dir)),
    };
  }
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
