import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { entryOf, itemAt } from '../../../at.js';
import { DataError } from '../../../errors.js';
import { firstIssue } from '../../../first-issue.js';
import { readText } from '../../../text-file.js';
import { isScanFile, scanName } from '../../../volume/index.js';
import { caseIds } from '../case-ids.js';
import {
  datasetFolder,
  type MsdDataset,
  parseJson,
  resolveSourcePath,
  type SplitName,
} from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { filesBelow } from '../walk-folder.js';
import { describedLabels, describedLabelsOf, labelsFor, numberedNames } from './described-labels.js';
import { openListedFiles } from './listed-files.js';
import { unlabelledNote, unmatchedNote } from './listed-parts.js';
import type { Listing } from './listing.js';

const path = z.string().min(1);
/** MONAI takes one image or a list with one a channel; a string alone is an image without a label. */
const listedItem = z.union([
  path,
  z.object({
    image: z.union([path, z.array(path).min(1)]),
    label: z.union([path, z.array(path).length(1)]).optional(),
    fold: z.int().min(0).optional(),
  }),
]);
const listOfCases = z.array(listedItem).default([]);
const msdJson = z.looseObject({
  name: z.string().optional(),
  modality: numberedNames.optional(),
  labels: describedLabels.optional(),
  training: z.array(listedItem).min(1),
  validation: listOfCases,
  test: listOfCases,
});
type Description = z.infer<typeof msdJson>;

/** A case of the list; paths as the list has them. */
interface Item {
  readonly images: readonly string[];
  readonly label?: string;
  readonly fold?: number;
  readonly list: SplitName;
}

/**
 * Layout `msd`: a folder that its own `dataset.json` describes, as those of the Medical Segmentation Decathlon,
 * or any data list of MONAI (`training`, `validation` and `test` lists). The `validation` list fixes the split,
 * and so does the key `fold` of the index by the list's folds; cases without labels that are not for training
 * are listed, with split `test`, only when `includeTest` is set. Modality and classes come from the list unless
 * the index states them; the liver and spleen tasks have a window of their own.
 * @throws DataError when the list is missing, has another form or lacks the fold that is asked for
 */
export async function listMsdCases(name: string, entry: MsdDataset, file: string): Promise<Listing> {
  const { list, root } = await listAndRoot(name, entry, file);
  const description = await readDescription(list);
  const all = itemsOf(description);
  const items = all.filter(({ images }) => !images.some(isMacTwin));
  const [usable, unlabelled] = entry.withLabels
    ? [items.filter(isUsable), items.filter((item) => !isUsable(item))]
    : [items.filter(({ list }) => list !== 'test'), items.filter(({ list }) => list === 'test')];
  requireLabels(usable, entry, list);
  const taken = entry.includeTest ? [...usable, ...unlabelled] : usable;
  const splitOf = splitBy(taken, entry.fold, list);
  const { cases, notes } = await listedCases(taken, entry, root, splitOf);
  const inRoot = (paths: readonly string[]) => paths.map((path) => resolve(root, path));
  const imagesOf = (of: readonly Item[]) => inRoot(of.flatMap(({ images }) => images));
  const labels = inRoot(items.flatMap(({ label }) => label ?? []));
  const listed = new Set([
    ...cases.flatMap(({ images, label }) => (label === undefined ? images : [...images, label])),
    ...imagesOf(all),
    ...labels,
  ]);
  // A folder that is not there is said of each case, when its files are opened.
  const present = existsSync(root) ? await filesBelow(root) : [];
  const others = present.filter((path) => !listed.has(resolve(path)));
  return {
    modality: entry.modality ?? modalityOf(description.modality, name, list),
    ...labelsFor(entry, () =>
      description.labels ? describedLabelsOf(description.labels, undefined, list) : { classes: {} },
    ),
    cases,
    notes: [
      ...twinNote(all.length - items.length),
      ...unlabelledNote(
        { unlabelled: unlabelled.map((item) => ({ name: '', images: imagesOf([item]) })) },
        entry.includeTest,
      ),
      ...notes,
      ...otherListNotes(description, list),
      ...unmatchedNote(others, `are listed by no "training", "validation" or "test" of ${basename(list)}`),
    ],
    folder: root,
    descriptions: [list],
    leftOut: [
      ...(entry.includeTest ? [] : [{ reason: 'without-labels' as const, files: imagesOf(unlabelled) }]),
      ...(entry.withLabels ? [] : [{ reason: 'label-not-wanted' as const, files: labels }]),
    ],
    ...(/^(liver|spleen)$/i.test(description.name ?? '') && { preset: { windowHu: [-175, 250] } }),
  };
}

/** The list and the folder at which its paths start. */
async function listAndRoot(
  name: string,
  entry: MsdDataset,
  file: string,
): Promise<{ list: string; root: string }> {
  const given = datasetFolder(name, entry, file);
  const isFolder = (await stat(given).catch(() => undefined))?.isDirectory() ?? !/\.json$/i.test(given);
  const list = isFolder ? join(given, 'dataset.json') : given;
  const root =
    entry.data === undefined
      ? dirname(list)
      : resolveSourcePath(entry.data, dirname(list), file, `datasets.${name}.data`);
  return { list, root };
}

async function readDescription(file: string): Promise<Description> {
  const text = await readText(
    file,
    (cause) =>
      new DataError(
        `${file} cannot be read: "path" of an "msd" dataset must be the task's folder, with dataset.json in it, ` +
          'or a data list, which is a .json file',
        { file },
        { cause },
      ),
  );
  const content = parseJson(text, file);
  const parsed = msdJson.safeParse(content);
  if (parsed.success) return parsed.data;
  if (isOfNnunet(content)) {
    throw new DataError(
      `${file} is a dataset.json of nnU-Net, which lists no training cases: set "layout": "nnunet"`,
      { file, field: 'training', expected: 'nnunet' },
    );
  }
  const { field, message } = firstIssue(parsed.error, content);
  throw new DataError(`${file}: ${field}: ${message}`, { file, field });
}

/** Lists of scans under names that nobody reads, such as "unlabelled". */
function otherListNotes(description: Description, file: string): string[] {
  const list = z.array(listedItem).min(1);
  return Object.entries(description).flatMap(([key, value]) => {
    const known = key in msdJson.shape || key === 'tensorImageSize';
    const { data } = list.safeParse(value);
    const isScan = (item: z.infer<typeof listedItem>) =>
      [typeof item === 'string' ? item : item.image].flat().some(isScanFile);
    if (known || !data?.some(isScan)) return [];
    return [
      `${basename(file)} lists ${data.length} scans as "${key}", which are left out: ` +
        'only "training", "validation" and "test" are read',
    ];
  });
}

/** nnU-Net finds its cases by their names; what it writes for version 1 lists them as well. */
const isOfNnunet = (content: unknown): boolean =>
  typeof content === 'object' &&
  content !== null &&
  !('training' in content) &&
  ('channel_names' in content || 'file_ending' in content || 'dataset' in content);

function itemsOf({ training, validation, test }: Description): Item[] {
  const itemsOfList = (items: Description['training'], list: SplitName) =>
    items.map((item): Item => {
      if (typeof item === 'string') return { images: [item], list };
      const { image, label, fold } = item;
      const [labelFile] = label === undefined ? [] : [label].flat();
      return {
        images: [image].flat(),
        ...(labelFile !== undefined && { label: labelFile }),
        ...(fold !== undefined && { fold }),
        list,
      };
    });
  return [
    ...itemsOfList(training, 'training'),
    ...itemsOfList(validation, 'validation'),
    ...itemsOfList(test, 'test'),
  ];
}

/** macOS puts a file `._x` beside `x` into archives, and scripts list it. */
const isMacTwin = (image: string): boolean => basename(image).startsWith('._');

const twinNote = (count: number): string[] =>
  count === 0
    ? []
    : [`${count} listed files that begin with "._" are passed over: macOS wrote them, they are no scans`];

/** A case of a validation list without labels serves as one of a test list. */
const isUsable = ({ list, label }: Item): boolean => list === 'training' || label !== undefined;

function requireLabels(items: readonly Item[], { withLabels }: MsdDataset, file: string): void {
  if (!withLabels || items.some(({ label }) => label !== undefined)) return;
  throw new DataError(
    `${file}: training: no case has a "label": add labels, or set "withLabels": false to use images alone`,
    { file, field: 'training' },
  );
}

/** The split that the lists or the folds fix; undefined where it is to be drawn. */
function splitBy(
  items: readonly Item[],
  validating: number | undefined,
  file: string,
): (item: Item) => SplitName | undefined {
  if (validating === undefined) return ({ list }) => (list === 'training' ? undefined : list);
  const folded = items.filter(({ list }) => list !== 'test');
  const without = folded.find(({ fold }) => fold === undefined);
  if (without)
    throw new DataError(
      `${file}: the case of ${without.images[0]} has no "fold", but "fold": ${validating} asks for the list's folds: ` +
        'give every case one, or leave "fold" out of the dataset index',
      { file, field: 'fold' },
    );
  const known = [...new Set(folded.flatMap(({ fold }) => fold ?? []))].sort((a, b) => a - b);
  if (!known.includes(validating))
    throw new DataError(`${file} has no fold ${validating}: its folds are ${known.join(', ')}`, {
      file,
      field: 'fold',
      found: validating,
      expected: known,
    });
  return ({ list, fold }) => {
    if (list === 'test') return 'test';
    return fold === validating ? 'validation' : 'training';
  };
}

async function listedCases(
  items: readonly Item[],
  entry: MsdDataset,
  root: string,
  splitOf: (item: Item) => SplitName | undefined,
): Promise<{ cases: ListedCase[]; notes: string[] }> {
  const files = openListedFiles();
  const names = namesOf(items, root);
  const ids = caseIds([...new Set(names)]);
  const cases: ListedCase[] = [];
  const renamed: string[] = [];
  const found = async (listed: string) => {
    const given = resolve(root, listed);
    const file = await files.findCompressedOrNot(given);
    if (scanName(file) === scanName(given) && file !== given) renamed.push(`${given} as ${basename(file)}`);
    return file;
  };
  for (const [i, item] of items.entries()) {
    const foundAs = itemAt(names, i);
    const name = entryOf(ids, foundAs);
    const images = [];
    for (const image of item.images) images.push(await found(image));
    const label = entry.withLabels && item.label !== undefined ? await found(item.label) : undefined;
    const split = splitOfItem(item, entry.withLabels, splitOf);
    const lacksLabel = entry.withLabels && item.list === 'training' && label === undefined;
    cases.push({
      name,
      ...(foundAs !== name && { foundAs }),
      images,
      ...(label !== undefined && { label }),
      ...(label !== undefined && entry.labelMap && { labelMap: entry.labelMap }),
      ...(split && { split }),
      ...(entry.fold !== undefined && item.fold !== undefined && { fold: item.fold }),
      ...(lacksLabel && {
        problem: `the list gives ${images[0]} no label, but other training cases have one: add its "label"`,
      }),
    });
  }
  return {
    cases,
    notes:
      renamed.length === 0
        ? []
        : [
            `${renamed.length} listed files are there compressed or not, other than listed; the first, ${renamed[0]}`,
          ],
  };
}

/** Images alone are drawn, those of a test list too; a case that cannot validate for want of a label is a test. */
function splitOfItem(
  item: Item,
  withLabels: boolean,
  splitOf: (item: Item) => SplitName | undefined,
): SplitName | undefined {
  if (!withLabels) return item.list === 'test' ? undefined : splitOf(item);
  return isUsable(item) ? splitOf(item) : 'test';
}

/**
 * The names of cases: what the names of a case's images have in common, `liver_1` for `imagesTr/liver_1.nii.gz`
 * and `7` for `7_t1.nii.gz` with `7_t2.nii.gz`; with their folders where that is not enough to tell them apart.
 */
function namesOf(items: readonly Item[], root: string): string[] {
  const short = items.map(({ images }) => nameOf(images.map((image) => basename(image))));
  if (!short.includes('') && new Set(short).size === short.length) return short;
  return items.map(({ images }) => {
    const [first] = images;
    const folder = relative(root, dirname(resolve(root, itemAt(images, 0))));
    const name = nameOf(images.map((image) => basename(image)));
    return [folder, name === '' && first !== undefined ? scanName(basename(first)) : name]
      .join('/')
      .replaceAll('\\', '/')
      .normalize('NFC');
  });
}

/** Cut where a word ends: `a_t1` and `a_t2` have `a` in common. */
function nameOf(files: readonly string[]): string {
  const names = files.map((file) => scanName(file).normalize('NFC'));
  const [first = '', ...others] = names;
  if (others.length === 0) return first;
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) length++;
  const common = first.slice(0, length);
  if (names.every((name) => name === common)) return common;
  return common.replace(/[^._-]*$/, '').replace(/[._-]+$/, '');
}

/** The Decathlon writes "CT" for CT and the sequence's name ("FLAIR", "T1w", "MRI") for everything else. */
function modalityOf(modality: Description['modality'], dataset: string, file: string): 'ct' | 'mr' {
  if (modality) return Object.values(modality).every((channel) => /^ct$/i.test(channel)) ? 'ct' : 'mr';
  throw new DataError(
    `${file} says no modality: state "modality" of datasets.${dataset} in the dataset index, "ct" or "mr"`,
    { file, field: 'modality' },
  );
}
