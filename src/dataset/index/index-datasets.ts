import { entryOf } from '../../at.js';
import { UsageError } from '../../errors.js';
import { largestPreparedClass } from '../prepare/label-values.js';
import { type Preprocessing, preprocessingOf } from '../prepare/preprocessing.js';
import type { DatasetEntry, DatasetFile } from './dataset-file.js';
import { listCases } from './layouts/list-cases.js';
import type { ListedCase, SourceDataset } from './listed-case.js';
import { assignSplits } from './split.js';

/**
 * Lists the cases of every dataset asked for, whatever its layout, and gives each its split.
 * @param only names of datasets; absent: all
 * @throws UsageError for a name that is not in the index, a case listed twice, a label without classes, a class
 *   above 65,535
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
  return Promise.all(
    known.filter((name) => only?.includes(name) ?? true).map((name) => indexDataset(name, file)),
  );
}

async function indexDataset(name: string, file: DatasetFile): Promise<SourceDataset> {
  const entry = entryOf(file.datasets, name);
  const { modality, classes, cases: listed, preset, notes = [] } = await listCases(name, entry, file.file);
  const cases = withoutExcluded(name, listed, entry.exclude ?? [], file.file);
  refuseDuplicates(name, cases, file.file);
  refuseLabelsWithoutClasses(name, cases, classes, file.file);
  refuseLargeClasses(name, classes, file.file);
  const splits = assignSplits(name, cases, entry.splits ?? {}, file);
  return {
    name,
    modality,
    classes,
    preprocessing: preprocessingOf(modality, { ...preset, ...definedOnly(entry) }),
    cases: cases.map((listed) => {
      return { ...listed, dataset: name, id: `${name}/${listed.name}`, split: entryOf(splits, listed.name) };
    }),
    notes: [...notes, ...mixedNote(cases)],
  };
}

/** Says that some cases have no label, since it may be a mistake. Test cases need none. */
function mixedNote(cases: readonly ListedCase[]): string[] {
  const usable = cases.filter(({ problem }) => problem === undefined);
  const unlabelled = usable.filter(({ label, split }) => label === undefined && split !== 'test');
  const labelled = usable.filter(({ label }) => label !== undefined).length;
  const [first] = unlabelled;
  if (first === undefined || labelled === 0) return [];
  const which = `${unlabelled.length} ${unlabelled.length === 1 ? 'scan has' : 'scans have'} no label beside ${labelled} that have one`;
  return [`${which}, the first is ${first.images[0]}: pre-training takes them, fine-tuning leaves them out`];
}

function withoutExcluded(
  dataset: string,
  cases: readonly ListedCase[],
  exclude: readonly string[],
  file: string,
): readonly ListedCase[] {
  const field = `datasets.${dataset}.exclude`;
  const unknown = exclude.find((name) => !cases.some((listed) => listed.name === name));
  if (unknown !== undefined)
    throw new UsageError(`${file}: ${field} names "${unknown}", which is no case of the dataset`, {
      file,
      field,
    });
  return cases.filter(({ name }) => !exclude.includes(name));
}

/** The settings that the index states; a key that it leaves out must not hide what the layout knows. */
function definedOnly({
  spacing,
  intensity,
  windowHu,
  foregroundThreshold,
}: DatasetEntry): Partial<Preprocessing> {
  return {
    ...(spacing !== undefined && { spacing }),
    ...(intensity !== undefined && { intensity }),
    ...(windowHu !== undefined && { windowHu }),
    ...(foregroundThreshold !== undefined && { foregroundThreshold }),
  };
}

function refuseDuplicates(dataset: string, cases: readonly ListedCase[], file: string): void {
  const seen = new Set<string>();
  for (const { name } of cases) {
    if (seen.has(name))
      throw new UsageError(`${file}: datasets.${dataset} lists the case "${name}" twice`, {
        file,
        found: name,
      });
    seen.add(name);
  }
}

function refuseLabelsWithoutClasses(
  dataset: string,
  cases: readonly ListedCase[],
  classes: SourceDataset['classes'],
  file: string,
): void {
  const labelled = cases.find(({ label }) => label !== undefined);
  if (labelled === undefined || Object.keys(classes).length > 0) return;
  throw new UsageError(
    `${file}: datasets.${dataset}.classes is missing, but the case "${labelled.name}" has a label: ` +
      'name its classes as {"1": "liver"}',
    { file, field: `datasets.${dataset}.classes` },
  );
}

/** A prepared label has two bytes a voxel: 70000 would become 4464, which may be another class. */
function refuseLargeClasses(dataset: string, classes: SourceDataset['classes'], file: string): void {
  const largest = Math.max(0, ...Object.keys(classes).map(Number));
  if (largest <= largestPreparedClass) return;
  const field = `datasets.${dataset}.classes`;
  throw new UsageError(
    `${file}: ${field} has the class ${largest}, but a class is ${largestPreparedClass} at most: ` +
      `name a smaller one, and map the value of the files to it with "labelMap": {"${largest}": 1}`,
    { file, field, found: largest, expected: largestPreparedClass },
  );
}
