import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { itemAt } from '../at.js';
import { filesBelow } from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import { readTextIfAny } from '../text-file.js';
import { isScanFile } from '../volume/index.js';
import { dicomContent } from './dicom-content.js';
import {
  descriptionIn,
  type FolderContent,
  type FoundScan,
  type GivenLabels,
  pairScans,
} from './pair-scans.js';

/** Scans as they lie: in a layout that is known, or in folders of somebody's own. */
export type FoundDataset =
  | { readonly name: string; readonly layout: 'msd' | 'nnunet' | 'brats'; readonly path: string }
  | {
      readonly name: string;
      readonly layout: 'files';
      readonly scans: readonly FoundScan[];
      /** How labels were found. */
      readonly notes: readonly string[];
    };

export interface FindOptions {
  /** Folders with scans, with labels beside them or not. */
  readonly folders: readonly string[];
  /** A folder of labels for the scans of all the others; absent: names tell. */
  readonly labels?: string | undefined;
}

const msdDescription = z.looseObject({ training: z.array(z.unknown()), labels: z.unknown() });
const nnunetDescription = z
  .looseObject({
    labels: z.unknown(),
    channel_names: z.unknown().optional(),
    modality: z.unknown().optional(),
  })
  .refine(({ channel_names, modality }) => channel_names !== undefined || modality !== undefined);

/**
 * What lies in folders: tasks of the Decathlon and of nnU-Net by their `dataset.json`, BraTS by its names, and
 * everything else by pairing labels with scans.
 * @throws DataError for a folder that is missing or holds nothing, or labels that belong to no scan;
 *   UsageError for several tasks in one folder
 */
export async function findDatasets({ folders, labels }: FindOptions): Promise<FoundDataset[]> {
  for (const folder of [...folders, ...(labels === undefined ? [] : [labels])]) await requireFolder(folder);
  const known: FoundDataset[] = [];
  const own = new Map<string, FolderContent>();
  const names = new Set<string>();
  for (const folder of folders.map((given) => resolve(given))) {
    const found = labels === undefined ? await knownLayout(folder) : undefined;
    if (found) known.push({ name: nameOf(found.path, names), ...found });
    else own.set(folder.replaceAll('\\', '/'), await contentOf(folder));
  }
  if (own.size === 0) return known;
  const { scans, notes } = pairScans(own, labels === undefined ? undefined : await labelsIn(resolve(labels)));
  return [...known, { name: nameOf(itemAt([...own.keys()], 0), names), layout: 'files', scans, notes }];
}

async function contentOf(folder: string): Promise<FolderContent> {
  const files = await filesBelow(folder);
  const { series, labels } = await dicomContent(files);
  return { files, series, dicomLabels: labels };
}

async function labelsIn(folder: string): Promise<GivenLabels> {
  const { files, series, dicomLabels } = await contentOf(folder);
  const labels = [...files.filter(isScanFile), ...series, ...dicomLabels];
  if (labels.length === 0)
    throw new DataError(`${folder} holds no label: NIfTI, MetaImage, NRRD or DICOM files are expected`, {
      file: folder,
      field: '--labels',
    });
  return { folder: folder.replaceAll('\\', '/'), files: labels };
}

async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new DataError(`the folder ${folder} ${why}: give a folder with scans`, { file: folder }, { cause });
  });
  if (!found.isDirectory())
    throw new DataError(`${folder} is a file: give the folder that it is in`, { file: folder });
}

/** The layout of a folder, or of the one task in it. */
async function knownLayout(
  folder: string,
): Promise<{ layout: 'msd' | 'nnunet' | 'brats'; path: string } | undefined> {
  const own = await describedLayout(folder);
  if (own) return own;
  const inner = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() || entry.isSymbolicLink(),
  );
  const described = (await Promise.all(inner.map(({ name }) => describedLayout(join(folder, name))))).flatMap(
    (found) => found ?? [],
  );
  const [first, second] = described;
  if (first && second) {
    throw new UsageError(
      `${folder} holds several tasks, ${first.path} and ${second.path}: name the one that is meant`,
      { field: 'FOLDER', found: folder },
    );
  }
  if (first) return first;
  const files = await filesBelow(folder);
  return files.some((file) => /\/BraTS[^/]*[_-](?:seg)\.nii(?:\.gz)?$/.test(file))
    ? { layout: 'brats', path: folder }
    : undefined;
}

async function describedLayout(
  folder: string,
): Promise<{ layout: 'msd' | 'nnunet'; path: string } | undefined> {
  const file = descriptionIn(folder);
  const text = await readTextIfAny(file);
  if (text === undefined) return undefined;
  const description = jsonOrUndefined(text);
  if (description === undefined)
    throw new DataError(
      `${file} is not valid JSON: repair it, or move it away to plan the scans as they lie`,
      {
        file,
      },
    );
  // Version 1 of nnU-Net lists its training cases as the Decathlon does, but numbers the files of channels.
  const names = await readdir(join(folder, 'imagesTr')).catch(() => []);
  const numbered = names.some((name) => /_\d{4}\.[^_]+$/.test(name));
  const isMsd = msdDescription.safeParse(description).success;
  if (isMsd && !numbered) return { layout: 'msd', path: folder };
  if (nnunetDescription.safeParse(description).success) return { layout: 'nnunet', path: folder };
  return isMsd ? { layout: 'msd', path: folder } : undefined;
}

function nameOf(path: string, taken: Set<string>): string {
  const safe =
    basename(path)
      .replace(/[^A-Za-z0-9._-]+/g, '_')
      .replace(/^[^A-Za-z0-9]+/, '') || 'scans';
  let name = safe;
  for (let i = 2; taken.has(name); i++) name = `${safe}_${i}`;
  taken.add(name);
  return name;
}
