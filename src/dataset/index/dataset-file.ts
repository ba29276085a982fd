import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { DataError, UsageError } from '../../errors.js';
import { firstIssue } from '../../first-issue.js';
import { parsedJson } from '../../json.js';
import { readText } from '../../text-file.js';
import { foregroundThresholdSchema, spacingSchema } from '../prepare/preprocessing.js';
import { isFileName, longestName, sameOnSomeSystem } from './case-ids.js';

/** A name that becomes a name of files: letters and digits of any script. */
const safeName = z
  .string()
  .normalize('NFC')
  .refine(isFileName, {
    error: ({ input }) =>
      `must consist of letters, digits, ".", "_" and "-", begin with a letter or digit, be ${longestName} bytes long ` +
      `at most and no reserved name of Windows; found ${JSON.stringify(input)}`,
  });
/** As the index names a case: by its id, or as its files are named. */
const caseReference = z.string().min(1);
const modality = z.enum(['ct', 'mr']);
const split = z
  .enum(['training', 'validation', 'test'])
  .describe('The split of the case; absent: drawn by `seed` and `validationShare`.');
const classNames = z.record(
  z.string().regex(/^[1-9][0-9]*$/, 'must be a whole number above 0'),
  z.string().min(1),
);
/** From the value in the label file to the class; "*" stands for every value that is not listed. */
const labelMap = z
  .record(
    z.string().regex(/^(\*|0|-?[1-9][0-9]*)$/, 'must be a whole number, without zeros before it, or "*"'),
    z.int().min(0),
  )
  .describe('From values of label files to class values; `*` stands for every other value, 0 is background.');

/** Label values by region, from the largest region to the smallest. */
const regions = z.record(z.string().min(1), z.array(z.int().min(1)).min(1));
/** Which of two masks has a voxel that lies in both: none (the case is refused), the first class or the last. */
const overlap = z
  .enum(['refuse', 'first', 'last'])
  .describe('Which of two masks has a voxel of both: none (refused), the first class or the last.');

/** One file; a list or an object is a label in several files, which has a key of its own. */
const labelFile = z
  .string({
    error: ({ input }) =>
      typeof input === 'object' && input !== null
        ? 'one file; where each file is the mask of one structure, leave "label" out and name them by their classes, ' +
          'as "masks": {"liver": "liver.nii.gz", "spleen": "spleen.nii.gz"}'
        : undefined,
  })
  .min(1);

/** One glob, as `labelFile` is one file. */
const labelGlob = z
  .string({
    error: ({ input }) =>
      typeof input === 'object' && input !== null
        ? 'one glob, of one label a case; where each file is the mask of one structure, use the layout "masks"'
        : undefined,
  })
  .min(1);

const sourceCase = z.strictObject({
  id: safeName.describe('Name of the case in files and tables.'),
  image: z.string().min(1).optional().describe('File of the scan, or folder of a DICOM series.'),
  images: z.array(z.string().min(1)).min(1).optional().describe('One file a channel, instead of `image`.'),
  label: labelFile.optional().describe('File of the label; absent: the case pre-trains.'),
  masks: z
    .record(z.string().min(1), z.string().min(1))
    .optional()
    .describe("Instead of `label`: one mask a class, by the class's name; a class without a mask is absent."),
  aligned: z
    .boolean()
    .optional()
    .describe('Whether the label lies voxel on voxel on the image whatever their headers say.'),
  labelMap: labelMap.optional(),
  split: split.optional(),
});

/** What every layout shares. Defaults that depend on the modality are filled in by `preprocessingOf`. */
const common = {
  path: z.string().min(1).optional().describe('Folder of the dataset, relative to the index.'),
  spacing: spacingSchema
    .nullable()
    .optional()
    .describe("mm that scans are brought to; null: each scan's own; absent: by the modality."),
  windowHu: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, 'must rise')
    .optional()
    .describe('HU that become 0 and 1, of `ct-window`.'),
  intensity: z
    .enum(['ct-window', 'z-score', 'percentile', 'none'])
    .optional()
    .describe('How intensities are scaled; absent: CT by its window, MR by z-scores.'),
  foregroundThreshold: foregroundThresholdSchema
    .optional()
    .describe(
      'The box around what is above it is kept; `background`: around what differs from it; null: all.',
    ),
  notFinite: z
    .union([z.literal('refuse'), z.number()])
    .optional()
    .describe(
      'What a voxel that is NaN or infinite becomes; `refuse`, as without it: such a scan is not used.',
    ),
  classes: classNames.optional().describe('Names by class value.'),
  labelMap: labelMap.optional(),
  regions: regions
    .optional()
    .describe('Regions that are learnt instead of the classes, unless the fine-tuning states its own.'),
  ignore: z
    .int()
    .min(1)
    .optional()
    .describe(
      'The label value (after `labelMap`) of voxels that nobody labelled: no loss, crop or metric takes them.',
    ),
  aligned: z
    .boolean()
    .default(false)
    .describe('Whether labels lie voxel on voxel on their images whatever the headers say.'),
  splits: z
    .partialRecord(split, z.array(caseReference))
    .optional()
    .describe('Names of cases by split; the rest is drawn, or trains where `validation` names cases.'),
  groups: z
    .union([z.string().min(1), z.literal(false)])
    .optional()
    .describe(
      'What keeps the scans of one patient on one side of every split: a regular expression over the names of cases whose brackets find the patient, or a CSV file with the columns "case" and "group"; false: nothing.',
    ),
  exclude: z.array(caseReference).optional().describe('Names of cases to leave out.'),
};

/** What the layouts share that find their cases in a folder with a training and a test part. */
const ofFolder = {
  includeTest: z
    .boolean()
    .default(false)
    .describe('Also the scans of test and validation parts, which have no labels.'),
  withLabels: z.boolean().default(true).describe('false: images alone, for pre-training.'),
};

const filesDataset = z.strictObject({
  layout: z.literal('files'),
  modality: modality.describe('What the scans are.'),
  cases: z.array(sourceCase).min(1).describe('The cases, one by one.'),
  overlap: overlap.default('refuse'),
  ...common,
});
const msdDataset = z.strictObject({
  layout: z.literal('msd'),
  modality: modality.optional().describe('What the scans are; absent: as the dataset says.'),
  data: z
    .string()
    .min(1)
    .optional()
    .describe("The folder at which the paths of the list start; absent: the list's own."),
  fold: z
    .int()
    .min(0)
    .optional()
    .describe(
      'Cases with this `fold` validate, those with another train; `finetune --fold` then takes the folds of the list.',
    ),
  ...ofFolder,
  ...common,
  path: z.string().min(1).describe('The folder with `dataset.json`, or the list itself, a `.json` file.'),
});
const masksDataset = z.strictObject({
  layout: z.literal('masks'),
  modality: modality.describe('What the scans are.'),
  images: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .default('*/{ct,mri}.nii.gz')
    .describe('A glob of the scans below `path`, or one a channel.'),
  masks: z
    .string()
    .regex(/\/$/, 'must end in "/": it names folders')
    .default('*/segmentations/')
    .describe('A glob of the folders with one mask a structure.'),
  structures: z
    .record(z.string(), z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]))
    .optional()
    .describe("File names, without ending, of the masks that make up a class; absent: the class's own name."),
  overlap: overlap.default('refuse'),
  ...common,
  path: z.string().min(1).describe('Folder of the dataset, relative to the index.'),
  classes: classNames.describe('Names by class value.'),
});

const releaseDataset = z.strictObject({
  layout: z
    .enum(['btcv', 'brats', 'atm22', 'luna16', 'covid-19-20', 'flare21'])
    .describe('The public dataset, as it is downloaded.'),
  ...ofFolder,
  ...common,
  path: z.string().min(1).describe('Folder of the dataset, relative to the index.'),
});
const nnunetDataset = z.strictObject({
  layout: z.literal('nnunet'),
  modality: modality.optional().describe('What the scans are; absent: as the dataset says.'),
  ...ofFolder,
  ...common,
  path: z.string().min(1).describe('Folder of the dataset, relative to the index.'),
});
const folderDataset = z.strictObject({
  layout: z.literal('folder'),
  modality: modality.describe('What the scans are.'),
  images: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe(
      "A glob below `path`, or one a channel; absent: every scan below it. What the wildcards match is the case's name.",
    ),
  labels: labelGlob.optional().describe('A glob of the labels below `path`; absent: images alone.'),
  ...common,
  path: z.string().min(1).describe('Folder of the dataset, relative to the index.'),
});

const dataset = z.discriminatedUnion('layout', [
  filesDataset,
  msdDataset,
  releaseDataset,
  nnunetDataset,
  folderDataset,
  masksDataset,
]);
/** A dataset index as it is written. */
export const datasetFileSchema = z.strictObject({
  $schema: z.string().optional().describe('JSON Schema, for editors.'),
  schema: z.literal(1).describe('Version of this file.'),
  seed: z.int().min(0).default(0).describe('Of the drawn splits.'),
  validationShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0.2)
    .describe('Share of the labelled cases that is held out, where no split is given.'),
  datasets: z.record(safeName, dataset),
});

export type SplitName = z.infer<typeof split>;
export type LabelMap = z.infer<typeof labelMap>;
export type DatasetEntry = z.infer<typeof dataset>;
export type FilesDataset = z.infer<typeof filesDataset>;
export type MsdDataset = z.infer<typeof msdDataset>;
export type ReleaseDataset = z.infer<typeof releaseDataset>;
export type NnunetDataset = z.infer<typeof nnunetDataset>;
export type FolderDataset = z.infer<typeof folderDataset>;
export type MasksDataset = z.infer<typeof masksDataset>;
export type Overlap = z.infer<typeof overlap>;
export type Regions = z.infer<typeof regions>;
export type DatasetFile = z.infer<typeof datasetFileSchema> & {
  /** Path of the file itself: relative paths start at its folder, errors name it. */
  readonly file: string;
};

/**
 * Reads and checks a dataset index (`datasets.example.json` documents it). `${NAME}` in paths stays as it
 * is until `resolveSourcePath`, so that a dataset nobody asked for may name a variable that is not set.
 * @throws DataError when the file is missing, UsageError when a field is wrong
 */
export async function readDatasetFile(file: string): Promise<DatasetFile> {
  const text = await readText(
    file,
    (cause) =>
      new DataError(
        `dataset index ${file} cannot be read: copy datasets.example.json and fill in your paths`,
        { file },
        { cause },
      ),
  );
  const content = parseJson(text, file);
  const parsed = datasetFileSchema.safeParse(content);
  if (parsed.success) {
    refuseTwinNames(Object.keys(parsed.data.datasets), file);
    return { ...parsed.data, file };
  }
  const { field, message } = firstIssue(parsed.error, content);
  throw new UsageError(`${file}: ${field === '' ? '' : `${field}: `}${message}`, { file, field });
}

/** Datasets are folders, which some systems tell apart by neither case nor Unicode form. */
function refuseTwinNames(names: readonly string[], file: string): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(sameOnSomeSystem(name));
    if (other !== undefined)
      throw new UsageError(
        `${file}: the datasets "${other}" and "${name}" differ in case or Unicode form alone: rename one of them`,
        { file, field: `datasets.${name}` },
      );
    seen.set(sameOnSomeSystem(name), name);
  }
}

/** JSON or a UsageError that names the file. */
export function parseJson(text: string, file: string): unknown {
  try {
    return parsedJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${file} is not valid JSON: ${reason}`, { file }, { cause });
  }
}

/**
 * Absolute path for `path` as written in the index:
 * `${NAME}` replaced by the environment, relative to `base`.
 * @param field where the path stands, for the error
 * @throws UsageError when a variable is not set or empty
 */
export function resolveSourcePath(path: string, base: string, file: string, field: string): string {
  const expanded = path.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const value = process.env[name];
    if (value) return value;
    throw new UsageError(
      `${file}: ${field} uses \${${name}}, which is not set: export ${name} with the folder of the data`,
      {
        file,
        field,
        expected: `environment variable ${name}`,
      },
    );
  });
  return resolve(base, expanded);
}

/** The folder at which a dataset's own relative paths start. */
export function datasetFolder(name: string, entry: DatasetEntry, file: string): string {
  const indexFolder = dirname(resolve(file));
  return entry.path === undefined
    ? indexFolder
    : resolveSourcePath(entry.path, indexFolder, file, `datasets.${name}.path`);
}
