import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { itemAt } from '../at.js';
import { DataError, UsageError } from '../errors.js';
import { shortList } from '../short-list.js';
import { isScanFile, scanName } from '../volume/index.js';

/** A scan to predict: its name, its files (one, or one a channel) and the file of its label. */
export interface ListedScan {
  readonly name: string;
  readonly images: readonly string[];
  readonly label: string;
}

/**
 * The scans that `--input` means: one scan, the files of its channels, a folder of scans, of one DICOM series, or
 * of folders with a case each (its scan, its channels or its series; also folders within them). Files of one scan's
 * channels differ in their last `_0000`, `_0001`, ...; a name that ends so is nnU-Net's, and the label is named
 * without it where every scan is of the first channel.
 * @param channels that the network takes
 * @throws UsageError for input and output that do not fit, DataError when a folder holds nothing to predict or two
 *   scans have one name
 */
export async function listScans(
  input: readonly string[],
  out: string,
  channels: number,
): Promise<ListedScan[]> {
  const isFile = /\.nii(\.gz)?$/i.test(out);
  const [first] = input;
  if (first === undefined)
    throw new UsageError('--input names no scan: give a file or a folder', { field: '--input' });
  if (!(await isFolder(first))) {
    if (/\.(?:dcm|ima)$/i.test(first))
      throw new DataError(
        `${first} is one file of a DICOM series: --input takes the folder that holds the whole series`,
        { file: first, field: '--input' },
      );
    const given = scanName(basename(first));
    const name = input.length > 1 ? given.replace(/_\d{4}$/, '') : nameWithoutChannel(given, true);
    return [{ name, images: input, label: isFile ? out : join(out, `${name}.nii.gz`) }];
  }
  if (input.length > 1)
    throw new UsageError(`--input takes one folder, or the files of one scan, but not ${input.join(', ')}`, {
      field: '--input',
    });
  const found = await scansBelow(first, [], channels > 1);
  const series = found.length === 1 && found[0]?.parts.length === 0;
  if (isFile && !series)
    throw new UsageError(`--out ${out} is a file, but --input ${first} is a folder: name a folder`, {
      field: '--out',
    });
  if (found.length === 0) throw nothingFound(first);
  const ofFirstChannel = found.every(({ parts }) => /_0000$/.test(parts.at(-1) ?? ''));
  const scans = found.map(({ parts, images }) => {
    const name =
      parts.length === 0 ? basename(resolve(first)) : nameWithoutChannel(parts.join('_'), ofFirstChannel);
    return { name, images, label: series && isFile ? out : join(out, `${name}.nii.gz`) };
  });
  refuseTwins(scans);
  return scans;
}

/** A scan and what names it: the folders that lead to it from the input, and its own name. */
interface FoundScan {
  readonly parts: readonly string[];
  readonly images: readonly string[];
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;

const nameWithoutChannel = (name: string, strip: boolean): string =>
  strip ? name.replace(/_0000$/, '') : name;

/** Hidden files are none: macOS puts a `._x` beside `x`. */
const isVisible = (name: string): boolean => !name.startsWith('.') && name !== '__MACOSX';

async function scansBelow(
  folder: string,
  parts: readonly string[],
  severalChannels: boolean,
): Promise<FoundScan[]> {
  const names = (await readdir(folder)).filter(isVisible).sort();
  const files = names.filter(isScanFile);
  const folders: string[] = [];
  for (const name of names)
    if (!files.includes(name) && (await isFolder(join(folder, name)))) folders.push(name);
  if (files.length > 0) {
    const scans = scansOf(folder, files, severalChannels);
    // The only scan of a case's folder is the case.
    return parts.length > 0 && scans.length === 1
      ? [{ parts, images: itemAt(scans, 0).images }]
      : scans.map(({ name, images }) => ({ parts: [...parts, name], images }));
  }
  const others = names.filter((name) => !folders.includes(name));
  const isSeries = others.length > 0 && (folders.length === 0 || others.some((name) => /\.dcm$/i.test(name)));
  const below: FoundScan[] = [];
  for (const name of folders)
    below.push(...(await scansBelow(join(folder, name), [...parts, name], severalChannels)));
  if (!isSeries) return below;
  if (below.length > 0)
    throw new DataError(
      `${folder} holds slices itself and scans in ${shortList(folders)}: name the one that is meant with --input`,
      { file: folder },
    );
  return [{ parts, images: [folder] }];
}

/** The files of a folder as scans, those of one scan's channels together. */
function scansOf(
  folder: string,
  files: readonly string[],
  severalChannels: boolean,
): { name: string; images: readonly string[] }[] {
  const channelOf = (file: string) =>
    (severalChannels ? /_\d{4}$/.exec(scanName(file))?.[0] : undefined) ?? '';
  const byName = new Map<string, string[]>();
  for (const file of files) {
    const name = scanName(file).slice(0, scanName(file).length - channelOf(file).length);
    const known = byName.get(name) ?? [];
    const twin = known.find((other) => channelOf(other) === channelOf(file));
    if (twin !== undefined)
      throw new DataError(
        `${join(folder, twin)} and ${join(folder, file)} are both the scan ${scanName(file)}: remove or rename one of them`,
        { file: join(folder, file) },
      );
    byName.set(name, [...known, file]);
  }
  return [...byName].map(([name, of]) => ({ name, images: of.map((file) => join(folder, file)) }));
}

/** Labels would replace each other. */
function refuseTwins(scans: readonly ListedScan[]): void {
  const seen = new Map<string, ListedScan>();
  for (const scan of scans) {
    const key = scan.label.normalize('NFC').toLowerCase();
    const other = seen.get(key);
    if (other)
      throw new DataError(
        `${other.images.join(', ')} and ${scan.images.join(', ')} would both be predicted as ${scan.label}: rename one`,
        { file: scan.images[0] ?? scan.label },
      );
    seen.set(key, scan);
  }
}

const nothingFound = (folder: string): DataError =>
  new DataError(
    `${folder} holds nothing to predict: --input takes a scan (NIfTI, MetaImage, NRRD), the files of its channels, a ` +
      'folder of scans or of one DICOM series, or a folder with a folder a case',
    { file: folder, field: '--input' },
  );
