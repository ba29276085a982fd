import { basename, dirname, join, relative } from 'node:path';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { isScanFile, scanName } from '../volume/index.js';

/** A scan of somebody's own folder: one file a channel, or the folder of a DICOM series. */
export interface FoundScan {
  /** A name for files, unique among the scans. */
  readonly id: string;
  readonly images: readonly string[];
  readonly label?: string;
}

/** Words in names of files or folders that say what a file is. */
const labelWords =
  'labels?|lbl|masks?|segs?|segm|segmentations?|annotations?|annot|gt|ground[-_ ]?truth|truth|rois?|manual';
const imageWords = 'images?|imgs?|scans?|volumes?|vols?';
const labelFolder = new RegExp(`^(?:${labelWords})(?:tr|ts)?$`, 'i');
const imageFolder = new RegExp(`^(?:${imageWords})(?:tr|ts)?$`, 'i');
const wordOf = (words: string) => new RegExp(`(^|[-_. ])(?:${words})(?=[-_. ]|\\d|$)`, 'gi');

/** Whether a file's name, or that of a folder above it, says that it is a label. */
export function isLabel(file: string): boolean {
  const parts = file.split('/');
  const name = scanName(parts.at(-1) ?? '');
  return parts.slice(0, -1).some((part) => labelFolder.test(part)) || wordOf(labelWords).test(name);
}

/**
 * Sorts the files of folders into scans with and without labels. What a name has beside words such as
 * `_seg`, `label` or `images/` and the channel (`_0000`) says which label belongs to which scan.
 * @param files below each folder, absolute, with "/"
 * @param labelFiles files that are labels whatever they are called; absent: names tell
 * @throws DataError for a label without a scan, two labels or two scans of one name, or no scan at all
 */
export function pairScans(
  files: ReadonlyMap<string, readonly string[]>,
  labelFiles?: { readonly folder: string; readonly files: readonly string[] },
): FoundScan[] {
  const given = new Set(labelFiles?.files);
  const images = new Map<string, string[]>();
  const names = new Map<string, string>();
  const addImage = (file: string, path: string) => {
    const key = keyOf(path, imageWords);
    images.set(key, [...(images.get(key) ?? []), file]);
    if (!names.has(key)) names.set(key, scanName(path).replace(/_\d{4}$/, ''));
  };
  const labels = new Map<string, string>();
  const addLabel = (file: string, folder: string) => {
    const key = keyOf(relative(folder, file), labelWords);
    const other = labels.get(key);
    if (other !== undefined)
      throw new DataError(
        `${other} and ${file} are labels of one scan by their names: remove one, or rename it`,
        { file },
      );
    labels.set(key, file);
  };
  for (const [folder, below] of files) {
    for (const file of below.filter(isScanFile)) {
      if (given.has(file)) continue;
      const path = relative(folder, file);
      if (labelFiles === undefined && isLabel(path)) addLabel(file, folder);
      else addImage(file, path);
    }
    for (const series of dicomFolders(below)) addImage(series, relative(folder, series) || basename(series));
  }
  for (const file of labelFiles?.files.filter(isScanFile) ?? []) addLabel(file, labelFiles?.folder ?? '');
  for (const [key, file] of labels) {
    if (images.has(key)) continue;
    const nearest = [...images.values()][0]?.[0];
    const example = nearest === undefined ? '' : ` (the first scan is ${nearest})`;
    throw new DataError(
      `the label ${file} belongs to no scan: its name beside words such as "seg" is "${key}", and no scan is called so${example}; rename one of them, or remove the label`,
      { file, found: key },
    );
  }
  if (images.size === 0) {
    throw new DataError(
      `${[...files.keys()].join(', ')} holds no scan: NIfTI, MetaImage, NRRD or folders of DICOM files are expected`,
      { file: itemAt([...files.keys()], 0) },
    );
  }
  const ids = new Set<string>();
  return [...images]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, found]) => {
      requireChannels(found);
      const label = labels.get(key);
      return {
        id: uniqueId(names.get(key) ?? key, ids),
        images: found.sort(),
        ...(label !== undefined && { label }),
      };
    });
}

/** What a path says beside the words: `patient1/ct_seg.nii.gz` is `patient1/ct`. */
function keyOf(path: string, words: string): string {
  const parts = path.split('/');
  const folders = parts.slice(0, -1).filter((part) => !labelFolder.test(part) && !imageFolder.test(part));
  const name = scanName(parts.at(-1) ?? '')
    .replace(/_\d{4}$/, '')
    .replace(wordOf(`${words}|${imageWords}`), '$1')
    .replace(/[-_. ]+/g, '_')
    .replace(/^_|_$/g, '');
  return (
    [...folders, name]
      .join('/')
      .toLowerCase()
      .replace(/^\/|\/$/g, '') || 'scan'
  );
}

/** Files of one scan are its channels when `_0000`, `_0001` tell them apart; anything else are two scans. */
function requireChannels(files: readonly string[]): void {
  const [first, second] = files;
  if (first === undefined || second === undefined) return;
  const channels = files.map((file) => /_(\d{4})$/.exec(scanName(basename(file)))?.[1]);
  if (!channels.includes(undefined) && new Set(channels).size === files.length) return;
  throw new DataError(
    `${first} and ${second} are one scan by their names: rename one, or call the channels of one scan NAME_0000, NAME_0001`,
    { file: second },
  );
}

/** Folders that hold DICOM files and no scan of another format. */
function dicomFolders(files: readonly string[]): string[] {
  const folders = new Map<string, string[]>();
  for (const file of files)
    folders.set(dirname(file), [...(folders.get(dirname(file)) ?? []), basename(file)]);
  return [...folders].flatMap(([folder, names]) =>
    names.some((name) => /\.(dcm|ima)$/i.test(name)) && !names.some(isScanFile) ? [folder] : [],
  );
}

/** A name for files of a path; folders such as `images/` say nothing. */
function uniqueId(path: string, taken: Set<string>): string {
  const parts = path.split('/');
  const telling = parts.filter((part, i) => i === parts.length - 1 || !imageFolder.test(part));
  const safe =
    telling
      .join('_')
      .replace(/[^A-Za-z0-9._-]+/g, '_')
      .replace(/^[^A-Za-z0-9]+/, '') || 'scan';
  let id = safe;
  for (let i = 2; taken.has(id); i++) id = `${safe}_${i}`;
  taken.add(id);
  return id;
}

/** Where the files of a folder lie whose description `dataset.json` is. */
export const descriptionIn = (folder: string): string => join(folder, 'dataset.json');
