import { stat } from 'node:fs/promises';
import { dirname, extname, relative, resolve } from 'node:path';
import { DataError, errorCode } from '../../errors.js';
import { isDicomFile, isOtherImageFile, isScanFile, scanParts } from '../../volume/index.js';
import type { LeftOutReason, SourceDataset } from '../index/listed-case.js';
import { type FoundFile, walkFolder } from '../index/walk-folder.js';
import { labelPaths } from '../prepare/label-files.js';

/** What a file of a dataset is used as. */
export type FileUse = 'image' | 'label' | 'part' | 'description';

/** Why a file of a dataset is not used. */
export type UnusedReason =
  | LeftOutReason
  | 'unusable-case'
  | 'other-dataset'
  | 'macos-twin'
  | 'hidden'
  | 'broken-link'
  | 'special'
  | 'empty'
  | 'unmatched'
  | 'no-slice'
  | 'unreadable'
  | 'other-format'
  | 'no-scan';

/** The reasons in words, as they follow a number of files. */
const unusedReasons: Readonly<Record<UnusedReason, string>> = {
  'unusable-case': 'of cases that are unusable',
  unmatched: 'scans that no case of the layout has',
  'without-labels': 'scans without labels, which "includeTest" takes in',
  'label-not-wanted': 'labels, which "withLabels": false leaves out',
  excluded: 'of cases that "exclude" names',
  'other-structure': 'masks of structures that are no class',
  'other-dataset': 'used by another dataset of the index',
  'other-format': 'images in a form that is not read as a case of its own',
  'no-slice': 'beside the slices of a series and no DICOM',
  'broken-link': 'links that lead nowhere',
  empty: 'without content',
  unreadable: 'that may not be read',
  special: 'pipes, sockets or devices',
  'macos-twin': 'twins that macOS puts into archives',
  hidden: 'hidden',
  'no-scan': 'no scans',
};

/** Files that are not used for one reason. */
export interface UnusedFiles {
  readonly reason: UnusedReason;
  /** The reason in words, as they follow a number of files. */
  readonly what: string;
  readonly count: number;
  /** The first of them, relative to the folder. */
  readonly examples: readonly string[];
}

/** What became of each file below the folder of a dataset: the counts add up to `files`. */
export interface FileAccount {
  readonly folder: string;
  readonly files: number;
  readonly used: Readonly<Record<FileUse, number>>;
  readonly notUsed: readonly UnusedFiles[];
  /** Links to a folder that they lie in, which are not followed, and folders that may not be read. */
  readonly notEntered: readonly string[];
}

const mostExamples = 3;

/**
 * Accounts for every file below the folders of datasets, hidden ones and links included.
 * @param unusable ids of the cases that `prepare` would skip
 * @param indexFile the dataset index, which may lie among the data
 * @returns an account a dataset, in their order
 * @throws DataError when a folder cannot be read
 */
export async function accountFiles(
  datasets: readonly SourceDataset[],
  unusable: ReadonlySet<string>,
  indexFile: string,
): Promise<FileAccount[]> {
  const uses = await Promise.all(datasets.map((dataset) => usesOf(dataset, unusable, indexFile)));
  const accounts: FileAccount[] = [];
  for (const [i, dataset] of datasets.entries()) {
    const others = new Set(uses.flatMap((use, k) => (k === i ? [] : [...use.files.keys()])));
    accounts.push(await accountOf(dataset, uses[i] ?? { files: new Map(), series: new Map() }, others));
  }
  return accounts;
}

type Fate = { readonly use: FileUse } | { readonly reason: UnusedReason };

/** What is known of files by their absolute paths, before one looks at them. */
interface Uses {
  readonly files: ReadonlyMap<string, Fate>;
  /** Folders that are read as DICOM series. */
  readonly series: ReadonlyMap<string, Fate>;
}

async function usesOf(
  { cases, descriptions, leftOut }: SourceDataset,
  unusable: ReadonlySet<string>,
  indexFile: string,
): Promise<Uses> {
  const files = new Map<string, Fate>();
  const series = new Map<string, Fate>();
  const put = async (path: string, fate: Fate) => {
    const absolute = resolve(path);
    if ((await stat(absolute).catch(() => undefined))?.isDirectory()) {
      series.set(absolute, fate);
      return;
    }
    files.set(absolute, fate);
    for (const part of await partsOf(absolute))
      if (part !== absolute) files.set(part, 'use' in fate ? { use: 'part' } : fate);
  };
  for (const { reason, files: left } of leftOut) for (const path of left) await put(path, { reason });
  for (const listed of cases) {
    const fateAs = (use: FileUse): Fate => (unusable.has(listed.id) ? { reason: 'unusable-case' } : { use });
    for (const path of listed.problemFiles ?? []) await put(path, { reason: 'unusable-case' });
    for (const path of listed.images) await put(path, fateAs('image'));
    for (const path of labelPaths(listed)) await put(path, fateAs('label'));
  }
  for (const path of [...descriptions, indexFile]) files.set(resolve(path), { use: 'description' });
  return { files, series };
}

/** A header that cannot be read has no other part that is known. */
async function partsOf(file: string): Promise<readonly string[]> {
  try {
    return (await scanParts(file)).map((part) => resolve(part));
  } catch (error) {
    if (error instanceof DataError) return [];
    throw error;
  }
}

async function accountOf(
  dataset: Pick<SourceDataset, 'folder'>,
  uses: Uses,
  ofOthers: ReadonlySet<string>,
): Promise<FileAccount> {
  const { folder } = dataset;
  const { files, loops, unreadable } = await walkFolder(folder);
  const used: Record<FileUse, number> = { image: 0, label: 0, part: 0, description: 0 };
  const unused = new Map<UnusedReason, { count: number; examples: string[] }>();
  for (const file of files) {
    const fate = await fateOf(file, uses, ofOthers);
    if ('use' in fate) {
      used[fate.use]++;
      continue;
    }
    const so = unused.get(fate.reason) ?? { count: 0, examples: [] };
    unused.set(fate.reason, so);
    so.count++;
    if (so.examples.length < mostExamples) so.examples.push(relative(folder, file.path));
  }
  const reasons = Object.keys(unusedReasons) as UnusedReason[];
  return {
    folder,
    files: files.length,
    used,
    notUsed: reasons.flatMap((reason) => {
      const found = unused.get(reason);
      return found ? [{ reason, what: unusedReasons[reason], ...found }] : [];
    }),
    notEntered: [...loops, ...unreadable],
  };
}

async function fateOf(file: FoundFile, uses: Uses, ofOthers: ReadonlySet<string>): Promise<Fate> {
  try {
    return await readableFate(file, uses, ofOthers);
  } catch (error) {
    if (errorCode(error) === 'EACCES') return { reason: 'unreadable' };
    throw error;
  }
}

async function readableFate(
  { path, kind, hidden }: FoundFile,
  { files, series }: Uses,
  ofOthers: ReadonlySet<string>,
): Promise<Fate> {
  const absolute = resolve(path);
  const known = files.get(absolute);
  if (known) return known;
  const name = absolute.slice(absolute.lastIndexOf('/') + 1);
  if (name.startsWith('._')) return { reason: 'macos-twin' };
  if (hidden) return { reason: 'hidden' };
  if (kind !== 'file') return { reason: kind };
  const ofSeries = series.get(dirname(absolute));
  if (ofSeries) {
    if ('reason' in ofSeries) return ofSeries;
    return (await isDicomFile(absolute)) ? { use: 'part' } : { reason: 'no-slice' };
  }
  if (ofOthers.has(absolute)) return { reason: 'other-dataset' };
  if ((await stat(absolute)).size === 0) return { reason: 'empty' };
  if (isScanFile(name)) return { reason: 'unmatched' };
  if (isOtherImageFile(name) || (await isUnnamedDicom(absolute))) return { reason: 'other-format' };
  return { reason: 'no-scan' };
}

/** Scanners name slices by numbers or not at all, as `IM0001` or `1.2.840.7`. */
async function isUnnamedDicom(file: string): Promise<boolean> {
  return /^(\.\d+)?$/.test(extname(file)) && isDicomFile(file);
}
