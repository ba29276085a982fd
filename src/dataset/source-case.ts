import { UsageError } from '../errors.js';
import type { DatasetFile, LabelMap, SplitName } from './dataset-file.js';
import { listFilesCases } from './layouts/files.js';
import { listMsdCases } from './layouts/msd.js';
import { type Preprocessing, preprocessingOf } from './preprocessing.js';
import { assignSplits } from './split.js';

/** One case as a layout lists it: absolute paths, nothing read yet. */
export interface ListedCase {
  /** Unique within its dataset. */
  readonly name: string;
  /** One file a channel, or one file that may hold several. */
  readonly images: readonly string[];
  readonly label?: string;
  readonly labelMap?: LabelMap;
  /** Fixed by the index or layout; absent: drawn. */
  readonly split?: SplitName;
}

/** A listed case with its split, and the name `dataset/name` it has everywhere else. */
export interface SourceCase extends ListedCase {
  readonly id: string;
  readonly dataset: string;
  readonly split: SplitName;
}

export interface SourceDataset {
  readonly name: string;
  readonly modality: 'ct' | 'mr';
  /** Label value to class name; empty when the dataset has no labels. */
  readonly classes: Readonly<Record<string, string>>;
  readonly preprocessing: Preprocessing;
  readonly cases: readonly SourceCase[];
}

/**
 * Lists the cases of every dataset asked for, whatever its layout, and gives each its split.
 * @param only names of datasets; absent: all
 * @throws UsageError for a name that is not in the index, a case listed twice, a label without classes
 */
export async function indexDatasets(file: DatasetFile, only?: readonly string[]): Promise<SourceDataset[]> {
  const known = Object.keys(file.datasets);
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`${file.file} has no dataset "${unknown}": it has ${known.join(', ')}`, {
      file: file.file,
      found: unknown,
      expected: known,
    });
  }
  return Promise.all(known.filter((name) => only?.includes(name) ?? true).map((name) => indexDataset(name, file)));
}

async function indexDataset(name: string, file: DatasetFile): Promise<SourceDataset> {
  const entry = file.datasets[name]!;
  const { modality, classes, cases } = entry.layout === 'msd' ? await listMsdCases(name, entry, file.file) : listFilesCases(name, entry, file.file);
  refuseDuplicates(name, cases, file.file);
  refuseLabelsWithoutClasses(name, cases, classes, file.file);
  const splits = assignSplits(name, cases, entry.splits ?? {}, file);
  return {
    name,
    modality,
    classes,
    preprocessing: preprocessingOf(modality, entry),
    cases: cases.map((listed) => ({ ...listed, dataset: name, id: `${name}/${listed.name}`, split: splits.get(listed.name)! })),
  };
}

function refuseDuplicates(dataset: string, cases: readonly ListedCase[], file: string): void {
  const seen = new Set<string>();
  for (const { name } of cases) {
    if (seen.has(name)) throw new UsageError(`${file}: datasets.${dataset} lists the case "${name}" twice`, { file, found: name });
    seen.add(name);
  }
}

function refuseLabelsWithoutClasses(dataset: string, cases: readonly ListedCase[], classes: SourceDataset['classes'], file: string): void {
  const labelled = cases.find(({ label }) => label !== undefined);
  if (labelled === undefined || Object.keys(classes).length > 0) return;
  throw new UsageError(
    `${file}: datasets.${dataset}.classes is missing, but the case "${labelled.name}" has a label: name its classes as {"1": "liver"}`,
    { file, field: `datasets.${dataset}.classes` },
  );
}
