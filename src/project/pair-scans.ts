import { basename, dirname, join, relative } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import { caseIds } from '../dataset/index.js';
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
const endings = '(?:[-_. ]?(?:tr|ts|train|training|test))?';
/** `labels`, `labelsTr`, `manual_labels`, `Segmentations final`; with digits it may be one scan's own folder. */
const labelFolder = new RegExp(`^(?:\\D+[-_. ])?(?:${labelWords})${endings}(?:[-_. ]\\D+)?$`, 'i');
/** `images`, `imagesTr`, `raw_images`; `scan_A` may be one scan's own folder. */
const imageFolder = new RegExp(
  `^(?:(?:${imageWords})|\\D+[-_. ](?:images|imgs|scans|volumes|vols))${endings}$`,
  'i',
);
const wordOf = (words: string) => new RegExp(`(^|[-_. ])(?:${words})(?=[-_. ]|\\d|$)`, 'gi');

/** Whether a file's name, or else that of the nearest folder that says so, is that of a label. */
export function isLabel(file: string): boolean {
  const parts = file.split('/');
  const name = scanName(parts.at(-1) ?? '');
  const telling = parts.slice(0, -1).findLast((part) => labelFolder.test(part) || imageFolder.test(part));
  return (telling !== undefined && labelFolder.test(telling)) || wordOf(labelWords).test(name);
}

/**
 * Sorts the files of folders into scans with and without labels. What a name has beside words such as
 * `_seg`, `label` or `images/` and the channel (`_0000`) says which label belongs to which scan. A label whose
 * name no scan has belongs to the only scan of its folder, or to the scan whose name differs by words that all
 * such labels have in common (`p1_ct` and `p1_seg`, `p1` and `p1_organs`).
 * @param folders absolute, with "/", each with what is in it
 * @param given files that are labels whatever they are called; absent: names tell
 * @throws DataError for a label without a scan, two labels or two scans of one name, or no scan at all
 */
export function pairScans(folders: ReadonlyMap<string, FolderContent>, given?: GivenLabels): PairedScans {
  const images = new Map<string, Named & { readonly files: string[] }>();
  const labels = new Map<string, Named & { readonly file: string }>();
  const addImage = (file: string, path: string) => {
    const named = namedBy(path, imageWords);
    const known = images.get(named.key);
    if (known) known.files.push(file);
    else images.set(named.key, { ...named, files: [file] });
  };
  const addLabel = (file: string, folder: string) => {
    const named = namedBy(relative(folder, file), labelWords);
    const other = labels.get(named.key);
    if (other)
      throw new DataError(
        `${other.file} and ${file} are labels of one scan by their names: remove one, or rename it; masks of one class each are listed in a dataset index (layout "masks")`,
        { file },
      );
    labels.set(named.key, { ...named, file });
  };
  const labelFiles = new Set(given?.files);
  for (const [folder, { files, series, dicomLabels }] of folders) {
    for (const file of [...files.filter(isScanFile), ...series]) {
      if (labelFiles.has(file)) continue;
      const path = relative(folder, file) || basename(file);
      if (given === undefined && isLabel(path)) addLabel(file, folder);
      else addImage(file, path);
    }
    if (given === undefined) for (const file of dicomLabels) addLabel(file, folder);
  }
  for (const file of labelFiles) addLabel(file, given?.folder ?? '');
  if (images.size === 0) throw holdsNoScan([...folders.keys()], [...labels.values()]);
  const { labelOf, note } = matched([...images.values()], [...labels.values()]);
  const ids = caseIds([...images.values()].map(({ name }) => name));
  const scans = [...images.values()]
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ name, files, key }) => {
      requireChannels(files);
      const label = labelOf.get(key);
      return { id: entryOf(ids, name), images: files.sort(), ...(label !== undefined && { label }) };
    });
  return { scans, notes: note === undefined ? [] : [note] };
}

/** What lies below a folder, absolute, with "/". */
export interface FolderContent {
  readonly files: readonly string[];
  /** Folders that are DICOM series. */
  readonly series: readonly string[];
  /** Files, and folders with one file, that are labels in DICOM. */
  readonly dicomLabels: readonly string[];
}

/** Labels by their place. */
export interface GivenLabels {
  readonly folder: string;
  /** Files, and folders with one label in DICOM. */
  readonly files: readonly string[];
}

export interface PairedScans {
  readonly scans: readonly FoundScan[];
  /** How labels were found that have another name than their scan. */
  readonly notes: readonly string[];
}

function holdsNoScan(folders: readonly string[], labels: readonly { readonly file: string }[]): DataError {
  const [first] = labels;
  const held =
    first === undefined
      ? 'NIfTI, MetaImage, NRRD, FreeSurfer or folders of DICOM files are expected'
      : `all ${labels.length} files are taken for labels, the first is ${first.file}: name the folder of the scans too`;
  return new DataError(`${folders.join(', ')} holds no scan: ${held}`, { file: itemAt(folders, 0) });
}

/** What a path says beside the words that every scan, or every label, has. */
interface Named {
  /** `patient1/ct_seg.nii.gz` is `patient1/ct`. */
  readonly key: string;
  /** Of these the folders, `patient1`. */
  readonly folder: string;
  /** For people: `patient1/ct`. */
  readonly name: string;
}

function namedBy(path: string, words: string): Named {
  const parts = path.normalize('NFC').split('/');
  const above = parts.slice(0, -1);
  const file = scanName(parts.at(-1) ?? '').replace(/_\d{4}$/, '');
  const folder = above.filter((part) => !labelFolder.test(part) && !imageFolder.test(part)).map(joined);
  const name = joined(file.replace(wordOf(`${words}|${imageWords}`), '$1'));
  return {
    key: [...folder, name].filter(Boolean).join('/').toLowerCase() || nameless,
    folder: folder.join('/').toLowerCase(),
    name: [...above.filter((part) => !imageFolder.test(part)), file].join('/'),
  };
}

/** One spelling of what stands between words. */
const joined = (text: string): string => text.replace(/[-_. ]+/g, '_').replace(/^_|_$/g, '');

/** The key of a file whose name says nothing, such as `image.nii.gz`. */
const nameless = 'scan';

/** The label of each scan's key, and what was taken for granted. */
function matched(
  images: readonly Named[],
  labels: readonly (Named & { readonly file: string })[],
): { readonly labelOf: ReadonlyMap<string, string>; readonly note?: string } {
  const keys = new Set(images.map(({ key }) => key));
  const labelOf = new Map(labels.flatMap(({ key, file }) => (keys.has(key) ? [[key, file]] : [])));
  const byFolder = labels.flatMap((label) => {
    const scan = keys.has(label.key) ? undefined : onlyScanBeside(label, images, labels);
    return scan && !labelOf.has(scan.key) ? [{ label, scan }] : [];
  });
  for (const { label, scan } of byFolder) labelOf.set(scan.key, label.file);
  const left = labels.filter(
    ({ key, file }) => !keys.has(key) && !byFolder.some((p) => p.label.file === file),
  );
  const free = images.filter(({ key }) => !labelOf.has(key));
  const besideOf = ({ file }: { readonly file: string }) =>
    labels.filter((other) => dirname(other.file) === dirname(file)).length;
  const byWords = left.map((label) => ({ label, ...sharedName(label, free, images, besideOf(label)) }));
  const [first] = byWords;
  if (first === undefined) return { labelOf };
  for (const { label, scan, beside } of byWords) {
    if (beside !== first.beside) {
      throw new DataError(
        `the label ${label.file} differs from the name of its scan ${scan.name} by "${beside}", but ${first.label.file} by "${first.beside}": call each label as its scan, with "_seg" behind the name`,
        { file: label.file, found: beside, expected: first.beside },
      );
    }
    const other = labelOf.get(scan.key);
    if (other !== undefined)
      throw new DataError(
        `${other} and ${label.file} are labels of one scan by their names: remove one, or rename it`,
        { file: label.file },
      );
    labelOf.set(scan.key, label.file);
  }
  const note = `labels are paired with scans whose names differ by "${first.beside}", such as ${first.label.file} with ${first.scan.name}`;
  return { labelOf, note };
}

/** The only scan of the nearest folder that has any, where the label is the only one too. */
function onlyScanBeside(label: Named, images: readonly Named[], labels: readonly Named[]): Named | undefined {
  for (
    let folder = label.folder;
    folder !== '';
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))
  ) {
    const within = (named: readonly Named[]) =>
      named.filter(({ key, folder: own }) => `${own}/`.startsWith(`${folder}/`) || key === folder);
    const scans = within(images);
    if (scans.length > 0) return scans.length === 1 && within(labels).length === 1 ? scans[0] : undefined;
  }
  return images.length === 1 && labels.length === 1 && label.key === nameless ? images[0] : undefined;
}

/**
 * The scan whose name the label's begins or ends with, or the other way round, and the words beside it.
 * @param beside labels in its folder
 * @throws DataError where there is none, or several
 */
function sharedName(
  label: Named & { readonly file: string },
  free: readonly Named[],
  images: readonly Named[],
  beside: number,
): { readonly scan: Named; readonly beside: string } {
  const found = free.flatMap((scan) => {
    const beside = wordsBeside(scan.key, label.key) ?? wordsBeside(label.key, scan.key);
    return beside === undefined ? [] : [{ scan, beside }];
  });
  // Of p1 and p1_day2 the label p1_day2_liver means the longer.
  const longest = Math.max(...found.map(({ scan }) => Math.min(scan.key.length, label.key.length)));
  const nearest = found.filter(({ scan }) => Math.min(scan.key.length, label.key.length) === longest);
  const [first, second] = nearest;
  if (first && !second) return first;
  if (first && second) {
    throw new DataError(
      `the label ${label.file} belongs to ${first.scan.name} or to ${second.scan.name} by their names: call the channels of one scan NAME_0000, NAME_0001, and its label NAME_seg`,
      { file: label.file, found: nearest.map(({ scan }) => scan.name) },
    );
  }
  const masks =
    beside > 1
      ? '; where each file of its folder is the mask of one structure, list them in a dataset index (layout "masks")'
      : '';
  throw new DataError(
    `the label ${label.file} belongs to no scan: its name beside words such as "seg" is "${label.key}", and no scan without a label is called so (the first scan is ${itemAt(images, 0).name}); rename one of them, or remove the label${masks}`,
    { file: label.file, found: label.key },
  );
}

/** What a longer name has before or behind a shorter one, in whole words; undefined where it does not hold it. */
function wordsBeside(shorter: string, longer: string): string | undefined {
  if (longer.length <= shorter.length) return undefined;
  if (longer.startsWith(shorter) && /^[/_]/.test(longer.slice(shorter.length)))
    return longer.slice(shorter.length).replaceAll('/', '_').slice(1);
  const before = longer.slice(0, longer.length - shorter.length);
  return longer.endsWith(shorter) && /[/_]$/.test(before)
    ? before.replaceAll('/', '_').slice(0, -1)
    : undefined;
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

/** Where the files of a folder lie whose description `dataset.json` is. */
export const descriptionIn = (folder: string): string => join(folder, 'dataset.json');
