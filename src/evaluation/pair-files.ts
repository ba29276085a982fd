import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { shortList } from '../short-list.js';
import { isLaidIntoImage, isScanFile, scanName } from '../volume/index.js';

/** A case as its two files. */
export interface FilePair {
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
}

/** Files of two folders by name. */
export interface Pairing {
  /** What the names of a pair have in common, in words; the same for all pairs. */
  readonly rule: string;
  readonly pairs: readonly FilePair[];
  /** Labels without a prediction. */
  readonly missing: readonly string[];
  /** Predictions without a label. */
  readonly extra: readonly string[];
}

/**
 * Pairs the predictions in a folder, or below it, with the labels in another, in order of name; or two files. One
 * rule pairs all: the first of `rules` that leaves no file over, else the one that makes the most pairs. Names are
 * the same in any Unicode form and with any ending of a scan; nothing is paired where two files claim one name.
 * @param incomplete whether files without a partner may be left out
 * @throws DataError when a folder is missing or holds no volume, two files of one claim one name, or, unless
 * `incomplete`, one has no partner
 */
export async function pairFiles(predictions: string, labels: string, incomplete: boolean): Promise<Pairing> {
  const [predicted, present] = [
    await volumesOf(predictions, 'predictions'),
    await volumesOf(labels, 'labels'),
  ];
  const [prediction, label] = [itemAt(predicted, 0), itemAt(present, 0)];
  if ((await isFile(predictions)) && (await isFile(labels)))
    return {
      rule: 'the two files that were named',
      pairs: [{ id: label.name, prediction: prediction.file, reference: label.file }],
      missing: [],
      extra: [],
    };
  const found = bestPairing(predicted, present);
  if (!incomplete) {
    requirePartners('prediction', predicted, found.extra, 'label', labels, found.missing);
    requirePartners('label', present, found.missing, 'prediction', predictions, found.extra);
  }
  return found;
}

/** A volume below a folder; its name is the path without the ending, with "/" on every system, in NFC. */
interface VolumeFile {
  readonly name: string;
  readonly file: string;
}

/** What two files of one case have in common, from the strictest. */
interface Rule {
  readonly text: string;
  readonly key: (volume: VolumeFile) => string;
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')));

/** nnU-Net's name of the first channel. */
const withoutChannel = (name: string): string => name.replace(/_0000$/, '');

const roles =
  'img|image|volume|scan|label|labels|lbl|seg|segmentation|mask|gt|groundtruth|ground_truth|pred|prediction|predicted';
const leadingRole = new RegExp(`^(?:${roles})(?:[_.-]+|(?=\\d))(?=.)`, 'i');
const trailingRole = new RegExp(`(?<=.)[_.-](?:${roles})$`, 'i');

/** BTCV's `img0001` and `label0001`, LiTS's `segmentation-0`, `case_seg` and `case_pred`. */
function withoutRole(name: string): string {
  const bare = name.replace(leadingRole, '');
  return (bare === name ? name.replace(trailingRole, '') : bare).toLowerCase();
}

/** `img0001_pred`, which MONAI writes for BTCV's `img0001`, and `label0001`. */
const withoutRoles = (name: string): string =>
  name.replace(leadingRole, '').replace(trailingRole, '').toLowerCase();

const rules: readonly Rule[] = [
  { text: 'the same name', key: ({ name }) => name },
  { text: 'the same file name, in any subfolder', key: ({ name }) => lastPart(name) },
  {
    text: 'the same name but for the channel "_0000"',
    key: ({ name }) => withoutChannel(lastPart(name)),
  },
  {
    text: 'the same name but for the channel "_0000", upper and lower case, and a word such as img, label, seg or pred',
    key: ({ name }) => withoutRole(withoutChannel(lastPart(name))),
  },
  {
    text: 'the same name but for the channel "_0000", upper and lower case, and words such as img, label, seg or pred at both ends',
    key: ({ name }) => withoutRoles(withoutChannel(lastPart(name))),
  },
  {
    text: 'the folder of the case, which holds one volume',
    key: ({ name }) => (folderOf(name) === '' ? withoutChannel(name) : folderOf(name)),
  },
];

interface Attempt extends Pairing {
  /** Files of one side that claim one name, of which the other side has at least one. */
  readonly claims: readonly string[];
}

function bestPairing(predicted: readonly VolumeFile[], present: readonly VolumeFile[]): Pairing {
  const attempts = rules.map((rule) => pairBy(rule, predicted, present));
  const certain = attempts.filter(({ claims }) => claims.length === 0);
  const complete = certain.find(({ missing, extra }) => missing.length === 0 && extra.length === 0);
  const ambiguous = attempts.find(({ claims }) => claims.length > 0);
  // Of what a rule finds ambiguous, a looser one would only pair a part by chance.
  const stricter = ambiguous ? attempts.slice(0, attempts.indexOf(ambiguous)) : attempts;
  const most = Math.max(0, ...stricter.map(({ pairs }) => pairs.length));
  const best = complete ?? stricter.find(({ pairs }) => pairs.length === most && most > 0);
  if (!best && ambiguous)
    throw new DataError(
      `several files claim one case when files pair by ${ambiguous.rule}: ${shortList(ambiguous.claims)}; ` +
        'rename them so that every prediction has the name of its label',
      { found: ambiguous.claims },
    );
  const { claims: _, ...pairing } = best ?? itemAt(attempts, 0);
  return pairing;
}

function pairBy(
  { text, key }: Rule,
  predicted: readonly VolumeFile[],
  present: readonly VolumeFile[],
): Attempt {
  const [predictions, labels] = [grouped(predicted, key), grouped(present, key)];
  const claims: string[] = [];
  const pairs: FilePair[] = [];
  for (const [name, mine] of predictions) {
    const partners = labels.get(name);
    const [prediction, label] = [itemAt(mine, 0), partners?.[0]];
    if (!partners || !label) continue;
    if (mine.length > 1 || partners.length > 1)
      claims.push(
        ...[mine, partners].flatMap((files) => (files.length > 1 ? files.map(({ file }) => file) : [])),
      );
    else pairs.push({ id: label.name, prediction: prediction.file, reference: label.file });
  }
  const without = (files: readonly VolumeFile[], partners: ReadonlyMap<string, unknown>) =>
    files.filter((volume) => !partners.has(key(volume))).map(({ name }) => name);
  return {
    rule: text,
    pairs: pairs.sort((a, b) => (a.id < b.id ? -1 : 1)),
    missing: without(present, predictions),
    extra: without(predicted, labels),
    claims,
  };
}

function grouped(
  files: readonly VolumeFile[],
  key: (volume: VolumeFile) => string,
): Map<string, VolumeFile[]> {
  const groups = new Map<string, VolumeFile[]>();
  for (const volume of files) {
    const name = key(volume);
    groups.set(name, [...(groups.get(name) ?? []), volume]);
  }
  return groups;
}

const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isFile() ?? false;

/** The volumes of a folder and those below it, in order of name; or the file itself. */
async function volumesOf(folder: string, what: string): Promise<readonly VolumeFile[]> {
  if (await isFile(folder)) {
    if (!isScanFile(folder) && !(await isDicomLabelFile(folder)))
      throw new DataError(
        `the file of ${what}, ${folder}, is no volume: NIfTI, MetaImage, NRRD, or a DICOM segmentation or contours ` +
          'are expected',
        {
          file: folder,
        },
      );
    return [{ name: nameOf(basename(folder)), file: folder }];
  }
  const order = ({ name, file }: VolumeFile) => `${name}\0${file}`;
  const volumes = (await volumesIn(folder, '', what)).sort((a, b) => (order(a) < order(b) ? -1 : 1));
  if (volumes.length === 0)
    throw new DataError(
      `the folder of ${what}, ${folder}, holds no volume: .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr files, or segmentations ` +
        'or contours in .dcm files, are expected in it or below',
      { file: folder },
    );
  const twice = volumes.find(({ name }, i) => i > 0 && itemAt(volumes, i - 1).name === name);
  if (twice) {
    const other = volumes.find(({ name }) => name === twice.name)?.file;
    throw new DataError(
      `${twice.file} and ${other} are both named ${twice.name}, but files pair by name: remove or rename one of them`,
      { file: twice.file },
    );
  }
  return volumes;
}

const nameOf = (path: string): string =>
  scanName(path)
    .replace(/\.dcm$/i, '')
    .normalize('NFC');

/** Slices of scans are no labels, and nor are reports. */
const isDicomLabelFile = async (path: string): Promise<boolean> =>
  /\.dcm$/i.test(path) && (await isLaidIntoImage(path));

/** Hidden files (macOS puts a `._x` beside `x`) and logits that `predict` wrote are no volumes. */
async function volumesIn(
  folder: string,
  below: string,
  what: string,
  above: readonly string[] = [],
): Promise<VolumeFile[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new DataError(
        `the folder of ${what}, ${join(folder, below)}, cannot be read (${cause.code}): check the path`,
        { file: join(folder, below) },
        { cause },
      );
    },
  );
  const here = await realpath(join(folder, below));
  if (above.includes(here)) return []; // a link that leads back
  const visible = entries.filter(({ name }) => !name.startsWith('.') && name !== '__MACOSX');
  const names: string[] = [];
  for (const entry of visible)
    if (
      isVolume(entry) ||
      (!entry.isDirectory() && (await isDicomLabelFile(join(folder, below, entry.name))))
    )
      names.push(entry.name);
  const volumes = names.map(
    (name): VolumeFile => ({
      name: nameOf(below === '' ? name : `${below}/${name}`),
      file: join(folder, below, name),
    }),
  );
  for (const entry of visible)
    if (await isFolder(entry, join(folder, below)))
      volumes.push(
        ...(await volumesIn(folder, below === '' ? entry.name : `${below}/${entry.name}`, what, [
          ...above,
          here,
        ])),
      );
  return volumes;
}

const isVolume = (entry: Dirent): boolean =>
  !entry.isDirectory() && isScanFile(entry.name) && !/_logits$/.test(scanName(entry.name));

/** A linked folder too. */
async function isFolder(entry: Dirent, folder: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return (await stat(join(folder, entry.name)).catch(() => undefined))?.isDirectory() ?? false;
}

function requirePartners(
  what: string,
  files: readonly VolumeFile[],
  alone: readonly string[],
  partner: string,
  folder: string,
  alonePartners: readonly string[],
): void {
  const [first] = alone;
  if (first === undefined) return;
  const file = files.find(({ name }) => name === first)?.file ?? first;
  const others =
    alone.length === 1
      ? ''
      : `, nor ${alone.length === 2 ? 'has 1 other' : `have ${alone.length - 1} others`} of the ${files.length} in its folder`;
  const named = [
    ...(alone.length > 1 ? [`without a ${partner}: ${shortList(alone)}`] : []),
    ...(alonePartners.length > 0 ? [`without a ${what}: ${shortList(alonePartners)}`] : []),
  ];
  throw new DataError(
    `${what} ${file} has no ${partner}${others}: ${join(folder, `${first}.nii.gz`)} is expected; files pair by name, and every file needs its partner, ` +
      `unless --incomplete leaves out those without${named.length > 0 ? ` (${named.join('; ')})` : ''}`,
    { file, found: alone, expected: `a ${partner} for each ${what}` },
  );
}
