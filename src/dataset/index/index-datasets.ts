import { entryOf } from '../../at.js';
import { UsageError } from '../../errors.js';
import { labelPaths } from '../prepare/label-files.js';
import { largestPreparedClass } from '../prepare/label-values.js';
import { type Preprocessing, preprocessingOf } from '../prepare/preprocessing.js';
import { isMarked, sameOnSomeSystem } from './case-ids.js';
import type { DatasetEntry, DatasetFile } from './dataset-file.js';
import { groupedCases, groupsOf } from './groups.js';
import { listCases } from './layouts/list-cases.js';
import type { GroupOddity, ListedCase, SourceCase, SourceDataset } from './listed-case.js';
import { assignSplits } from './split.js';
import { likelyVisits } from './visits.js';

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
  const listing = await listCases(name, entry, file.file);
  const { modality, classes, preset, notes = [] } = listing;
  const idOf = idsByReference(name, listing.cases, file.file);
  const excluded = (entry.exclude ?? []).map(idOf('exclude'));
  const cases = withoutExcluded(name, listing.cases, excluded, file.file);
  refuseDuplicates(name, cases, file.file);
  refuseLabelsWithoutClasses(name, cases, classes, file.file);
  refuseLargeClasses(name, classes, file.file);
  const labelled = Object.keys(classes).length > 0;
  const regions = labelled ? (entry.regions ?? listing.regions) : undefined;
  const ignore = labelled ? (entry.ignore ?? listing.ignore) : undefined;
  refuseForeignRegions(name, classes, regions, file.file);
  refuseIgnoredClass(name, classes, ignore, file.file);
  const fixed = Object.fromEntries(
    Object.entries(entry.splits ?? {}).map(([split, names]) => [split, names.map(idOf(`splits.${split}`))]),
  );
  const { cases: grouped, file: groupFile } = await groupedCases(name, cases, entry, file.file);
  const splits = assignSplits(name, grouped, fixed, file);
  const splitCases = grouped.map((listed) => {
    return {
      ...listed,
      ...(entry.aligned && listed.aligned === undefined && listed.label !== undefined && { aligned: true }),
      dataset: name,
      id: `${name}/${listed.name}`,
      split: entryOf(splits, listed.name),
    };
  });
  return {
    name,
    modality,
    classes,
    ...(regions && { regions }),
    ...(ignore !== undefined && { ignore }),
    preprocessing: preprocessingOf(modality, { ...preset, ...definedOnly(entry) }),
    cases: splitCases,
    notes: [...notes, ...renamedNote(cases), ...mixedNote(cases)],
    groupsStated: entry.groups !== undefined,
    groupOddities: groupOddities(name, splitCases, entry),
    folder: listing.folder,
    descriptions: [...(listing.descriptions ?? []), ...(groupFile === undefined ? [] : [groupFile])],
    leftOut: [
      ...(listing.leftOut ?? []),
      { reason: 'excluded', files: filesOfExcluded(listing.cases, excluded) },
    ],
  };
}

/** What may put one patient on both sides of a split: names like visits, or a split that was listed so. */
function groupOddities(name: string, cases: readonly SourceCase[], entry: DatasetEntry): GroupOddity[] {
  const visits = entry.groups === undefined ? likelyVisits(cases) : undefined;
  const first = visits?.example[0];
  const oddities: GroupOddity[] = [];
  if (visits && first !== undefined) {
    oddities.push({
      id: `${name}/${first}`,
      kind: 'visits',
      message:
        `${visits.cases} cases of "${name}" look like visits of ${visits.patients} patients, such as ` +
        `${visits.example.join(', ')}: a split may put one patient on both sides; set "groups" to a pattern that ` +
        'finds the patient or to a CSV file, or to false where each case is a patient',
    });
  }
  for (const group of groupsOf(cases)) {
    const counted = group.filter(({ split, label }) => split !== 'test' || label !== undefined);
    const [one] = counted;
    const other = counted.find(({ split }) => split !== one?.split);
    if (!one || !other) continue;
    oddities.push({
      id: one.id,
      kind: 'split-group',
      message:
        `the group "${one.group}" of "${name}" is on two sides of the split, ${one.name} (${one.split}) and ` +
        `${other.name} (${other.split}), as the index lists them: list them in one split`,
    });
  }
  return oddities;
}

function filesOfExcluded(cases: readonly ListedCase[], exclude: readonly string[]): string[] {
  return cases
    .filter(({ name }) => exclude.includes(name))
    .flatMap((listed) => [...listed.images, ...labelPaths(listed)]);
}

/**
 * The index may name a case by its id or as its files are named, in any Unicode form. What neither is stays, for
 * whoever looks for it to refuse.
 */
function idsByReference(
  dataset: string,
  cases: readonly ListedCase[],
  file: string,
): (key: string) => (reference: string) => string {
  const ids = new Set(cases.map(({ name }) => name));
  const byFiles = new Map<string, string>();
  for (const { name, foundAs } of cases) if (foundAs !== undefined) byFiles.set(foundAs, name);
  return (key) => (reference) => {
    const composed = reference.normalize('NFC');
    const id = byFiles.get(composed);
    if (id === undefined || id === composed) return composed;
    if (!ids.has(composed)) return id;
    const field = `datasets.${dataset}.${key}`;
    throw new UsageError(
      `${file}: ${field} names "${reference}", which is the id of one case and the file name of another, whose id is ` +
        `"${id}": name the second by its id, and rename the files of the first`,
      { file, field, found: reference },
    );
  };
}

/** A case whose id nobody can guess would be looked for in vain. */
function renamedNote(cases: readonly ListedCase[]): string[] {
  const renamed = cases.filter(({ name, foundAs }) => foundAs !== undefined && isMarked(name));
  const [first] = renamed;
  if (!first) return [];
  const others = renamed.length === 1 ? '' : ` and ${renamed.length - 1} others`;
  return [
    `"${first.foundAs}"${others} cannot be the name of files on every system, or would be that of two cases: ` +
      `the case is "${first.name}"`,
  ];
}

function refuseForeignRegions(
  dataset: string,
  classes: SourceDataset['classes'],
  regions: SourceDataset['regions'],
  file: string,
): void {
  for (const [name, values] of Object.entries(regions ?? {})) {
    const stranger = values.find((value) => !Object.hasOwn(classes, value));
    if (stranger === undefined) continue;
    const field = `datasets.${dataset}.regions.${name}`;
    const known = Object.keys(classes);
    throw new UsageError(
      `${file}: ${field} has the value ${stranger}, but the classes are ${known.join(', ')}`,
      {
        file,
        field,
        found: stranger,
        expected: known,
      },
    );
  }
}

function refuseIgnoredClass(
  dataset: string,
  classes: SourceDataset['classes'],
  ignore: number | undefined,
  file: string,
): void {
  if (ignore === undefined) return;
  const field = `datasets.${dataset}.ignore`;
  const facts = { file, field, found: ignore };
  if (Object.hasOwn(classes, ignore))
    throw new UsageError(
      `${file}: ${field} is ${ignore}, but that is the class "${classes[ignore]}": leave one out`,
      facts,
    );
  if (ignore > largestPreparedClass)
    throw new UsageError(
      `${file}: ${field} is ${ignore}, but a value is ${largestPreparedClass} at most: ` +
        `map the value of the files to a smaller one with "labelMap": {"${ignore}": 255}`,
      facts,
    );
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
  notFinite,
}: DatasetEntry): Partial<Preprocessing> {
  return {
    ...(spacing !== undefined && { spacing }),
    ...(intensity !== undefined && { intensity }),
    ...(windowHu !== undefined && { windowHu }),
    ...(foregroundThreshold !== undefined && { foregroundThreshold }),
    ...(typeof notFinite === 'number' && { notFinite }),
  };
}

function refuseDuplicates(dataset: string, cases: readonly ListedCase[], file: string): void {
  const seen = new Map<string, string>();
  for (const { name } of cases) {
    const other = seen.get(sameOnSomeSystem(name));
    if (other !== undefined) {
      const message =
        other === name
          ? `lists the case "${name}" twice`
          : `lists the cases "${other}" and "${name}", which macOS and Windows take for one: rename one`;
      throw new UsageError(`${file}: datasets.${dataset} ${message}`, { file, found: name });
    }
    seen.set(sameOnSomeSystem(name), name);
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
