import { readdir } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { checkAffine, spacingOf } from './affine.js';
import { isContours, readContours } from './dicom-contours.js';
import { type DicomFile, isNative, openDicomFile } from './dicom-file.js';
import { type DicomImage, imageOf, textOf } from './dicom-image.js';
import { sliceValues, valueTypeOf } from './dicom-pixels.js';
import { isSegmentation, readSegmentation } from './dicom-segmentation.js';
import { dicomRemedy, nameOf, normalOf, orderedSlices, type PlacedSlice } from './dicom-slices.js';
import { filesOfFolder } from './folder-files.js';
import { lpsToRas } from './itk-volume.js';
import { AXES, mapAxes, type Triple } from './triple.js';
import type { Grid } from './volume.js';
import { slicesOfVolume, type VolumeSlices } from './volume-slices.js';

/** A DICOM series with its headers read. */
export interface DicomSeries extends VolumeSlices {
  /** What is odd about it: one sentence each. */
  readonly oddities: readonly string[];
}

/** What a path given as a scan holds of DICOM. */
export interface DicomFolder {
  readonly images: readonly DicomImage[];
  /** Files of DICOM that hold no slices, such as a report or contours. */
  readonly others: readonly DicomFile[];
  /** Names of files that are no DICOM. */
  readonly foreign: readonly string[];
}

/**
 * Opens a folder with the slices of one DICOM series, whatever their names, or one DICOM file. Slope and
 * intercept are applied, those of each slice to it (HU for CT). The headers of all files are read here, the
 * pixels slice by slice. Files of other kinds, such as reports and contours, are passed over, and named in the
 * oddities.
 * @throws DataError when there is no series or several, a slice is missing, doubled, of another size or
 * direction, short or damaged, the gantry was tilted, or pixels cannot be decoded
 */
export async function openDicomSeries(path: string): Promise<DicomSeries> {
  return openSeries(await dicomFolder(path), path);
}

async function openSeries(found: DicomFolder, path: string): Promise<DicomSeries> {
  const [first] = found.images;
  if (!first) throw await nothingIn(path, found);
  requireOneSeries(found.images, path);
  for (const image of found.images) refuseOtherSize(image, first);
  const slices = orderedSlices(
    found.images.flatMap(({ frames }) => frames),
    path,
  );
  const byFile = new Map(found.images.map((image) => [image.file, image]));
  for (const image of found.images) refuseCompressedRescales(image);
  const rescales = slices.map(({ rescale }) => rescale ?? ([1, 0] as const));
  const ArrayType = valueTypeOf(
    found.images.map(({ format, syntax }) => ({ ...format, syntax })),
    rescales,
  );
  const { columns, rows } = first.format;
  const affine = affineOf(slices);
  checkAffine(affine, path, dicomRemedy);
  return {
    size: [columns, rows, slices.length],
    spacing: spacingOf(affine),
    affine,
    channels: 1,
    oddities: [
      ...passedOver(found, path),
      ...found.images.slice(0, 1).flatMap(({ oddities }) => oddities),
      ...withoutThickness(slices),
      ...withoutRescale(slices),
    ],
    slices: () => {
      const toRead = slices.map(({ file, index }, i) => {
        return { image: entryOf(byFile, file), frame: index, rescale: itemAt(rescales, i) };
      });
      return sliceValues(toRead, new ArrayType(columns * rows));
    },
  };
}

/**
 * Reads the headers of the files of a folder, or of one file.
 * @throws DataError for a file that is named as DICOM, or as the slices are, and is not, and as `imageOf` does
 */
export async function dicomFolder(path: string): Promise<DicomFolder> {
  const images: DicomImage[] = [];
  const others: DicomFile[] = [];
  const foreign: string[] = [];
  for (const file of await filesOf(path)) {
    const found = await openDicomFile(file);
    if (!found && /\.(dcm|dicom|ima)$/i.test(file)) {
      throw new DataError(
        `${file} is damaged or no DICOM file, though its name says so: copy or download it again, or remove it`,
        { file },
      );
    }
    if (!found) foreign.push(file);
    else if (isNoScan(found)) others.push(found);
    else {
      const image = imageOf(found);
      if (image) images.push(image);
      else others.push(found);
    }
  }
  requireNoLostSlice(images, foreign);
  return { images, others, foreign };
}

/**
 * Refuses a file that is named as the slices are and is no DICOM: one at an end of the series that lost its
 * beginning would be missing without a gap.
 */
function requireNoLostSlice(images: readonly DicomImage[], foreign: readonly string[]): void {
  const patternOf = (file: string) => basename(file).replace(/\d+/g, '#');
  const patterns = new Set(images.map(({ file }) => patternOf(file)));
  const lost = foreign.find((file) => /\d/.test(basename(file)) && patterns.has(patternOf(file)));
  if (lost === undefined) return;
  throw new DataError(
    `${lost} is damaged or no DICOM file, though it is named as the slices beside it: copy or download it again, or remove it`,
    { file: lost },
  );
}

/** One file where the path is no folder. */
async function filesOf(path: string): Promise<string[]> {
  return filesOfFolder(resolve(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return [resolve(path)];
    throw error;
  });
}

/** Whether an object has pixels and yet is no slice of a scan: a segmentation, or a radiation dose. */
const isNoScan = (found: DicomFile): boolean =>
  isSegmentation(found) || found.kind === '1.2.840.10008.5.1.4.1.1.481.2';

/** What a file that holds no slices is, for sentences: `rs.dcm (RTSTRUCT)`. */
export function kindOf({ file, header, kind }: DicomFile): string {
  const what = kind === directoryKind ? 'index of a medium' : textOf(header, 'x00080060');
  return `${basename(file)} (${what ?? 'no pixels'})`;
}

const directoryKind = '1.2.840.10008.1.3.10';

/** Some names, and how many more there are. */
function listed(names: readonly string[], most = 5): string {
  return names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

async function nothingIn(path: string, { others, foreign }: DicomFolder): Promise<DataError> {
  const [only] = others;
  if (only && path.endsWith(basename(only.file)) && others.length + foreign.length === 1) {
    const remedy = isLabel(only) ? 'give it as the label of its image' : 'name the scan itself';
    return new DataError(`${path} holds no slices, but ${kindOf(only)}: ${remedy}`, { file: path });
  }
  const expected = 'a folder given as a scan must hold the slices of one DICOM series';
  const refuse = (what: string, remedy: string) =>
    new DataError(`${path} ${what}: ${expected}, so ${remedy}`, { file: path });
  if (others.length > 0) {
    const labels = others.filter(isLabel);
    return refuse(
      `holds no slices, but ${listed(others.map(kindOf))}`,
      labels.length > 0
        ? 'name the folder of the scan, and give a segmentation or contours as label'
        : 'name the folder of the scan',
    );
  }
  if (foreign.some((file) => /^DICOMDIR$/i.test(basename(file)))) {
    return refuse(
      `holds no slices, but ${listed(foreign.map((file) => basename(file)))}, which only lists files of other folders`,
      'name the folder below it that has them',
    );
  }
  if (foreign.length > 0) {
    return refuse(
      `holds no DICOM file, but ${listed(foreign.map((file) => basename(file)))}`,
      'name a scan of another format by its file',
    );
  }
  const folders = (await readdir(path, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  return folders.length === 0
    ? refuse('is an empty folder', 'copy the slices into it or correct the path')
    : refuse(
        `holds no files, but ${folders.length} folder${folders.length === 1 ? '' : 's'} (${listed(folders)})`,
        'name the one with the slices, or each as a case of its own; with the layout "folder", a glob that ends in "/" takes all',
      );
}

const isLabel = (found: DicomFile): boolean => isSegmentation(found) || isContours(found);

/** What a label is laid onto. */
export interface LabelTarget {
  /** Of the image that the label belongs to. */
  readonly grid?: Grid | undefined;
  /** Whether a value of the label is one that counts; those that do not may overlap others. */
  readonly needed?: ((value: number) => boolean) | undefined;
}

/**
 * Opens a label in DICOM: a segmentation (SEG) or contours (RTSTRUCT), laid into the grid of their image, or a series
 * whose values are labels.
 * @throws DataError as `openDicomSeries`, `readSegmentation` and `readContours` do, or where there are several
 */
export async function openDicomLabel(path: string, { grid, needed }: LabelTarget): Promise<VolumeSlices> {
  const found = await dicomFolder(path);
  const labels = found.images.length > 0 ? [] : found.others.filter(isLabel);
  const [first] = labels;
  if (!first) return openSeries(found, path);
  if (labels.length > 1) {
    throw new DataError(
      `${path} holds ${labels.length} labels, ${listed(labels.map(kindOf))}: name the file of the one that is meant`,
      { file: path, found: labels.map(({ file }) => file) },
    );
  }
  return slicesOfVolume(
    isContours(first) ? readContours(first, grid, needed) : await readSegmentation(first, grid, needed),
  );
}

/**
 * Whether a path holds one label in DICOM, a segmentation or contours, and no slices.
 * @throws DataError as `dicomFolder` does
 */
export async function isDicomLabel(path: string): Promise<boolean> {
  const { images, others } = await dicomFolder(path);
  return images.length === 0 && others.filter(isLabel).length === 1;
}

/**
 * What is odd about a DICOM scan or label: one sentence each.
 * @throws DataError as `openDicomSeries` does
 */
export async function dicomOddities(path: string): Promise<readonly string[]> {
  return (await isDicomLabel(path)) ? [] : (await openSeries(await dicomFolder(path), path)).oddities;
}

/**
 * The PatientID in the first DICOM file of a path; undefined where there is none, or it is empty.
 * @throws DataError when a header cannot be read, and the system's error where nothing is at the path
 */
export async function dicomPatient(path: string): Promise<string | undefined> {
  for (const file of await filesOf(path)) {
    const found = await openDicomFile(file);
    if (found) return textOf(found.header, 'x00100020');
  }
  return undefined;
}

function requireOneSeries(images: readonly DicomImage[], path: string): void {
  const series = new Map<string, DicomImage[]>();
  for (const image of images) series.set(image.series, [...(series.get(image.series) ?? []), image]);
  if (series.size < 2) return;
  const described = [...series.values()].map((of) => {
    const { modality, description, file } = itemAt(of, 0);
    const what = description === '' ? modality : `${modality} "${description}"`;
    return `${of.length} file${of.length === 1 ? '' : 's'} of ${what} such as ${basename(file)}`;
  });
  throw new DataError(
    `the folder ${path} holds ${series.size} DICOM series, but one is expected: ` +
      `move each series into a folder of its own (${listed(described)})`,
    { file: path, found: [...series.keys()] },
  );
}

function refuseOtherSize({ file, format }: DicomImage, first: DicomImage): void {
  const size = [format.columns, format.rows];
  const expected = [first.format.columns, first.format.rows];
  if (format.bitsAllocated === 1) {
    throw new DataError(`${file}: BitsAllocated is 1; expected 8, 16 or 32 in a scan`, {
      file,
      field: 'BitsAllocated',
      found: 1,
    });
  }
  if (size.every((n, axis) => n === expected[axis])) return;
  throw new DataError(
    `${file} has ${size.join('x')} pixels, but ${first.file} of the same series has ${expected.join('x')}: ` +
      'remove what is no slice',
    { file, found: size, expected },
  );
}

/** ITK, which decodes what is compressed, applies the slope of the first frame to all. */
function refuseCompressedRescales({ file, syntax, frames }: DicomImage): void {
  if (isNative(syntax)) return;
  for (const [name, part] of [
    ['slopes', 0],
    ['intercepts', 1],
  ] as const) {
    const values = new Set(frames.map(({ rescale }) => (rescale ?? [1, 0])[part]));
    if (values.size > 1) {
      throw new DataError(
        `${file} holds ${frames.length} compressed frames with ${values.size} rescale ${name}: ` +
          'decompress it first, such as with decompress() of pydicom',
        { file, field: 'RescaleSlope', found: [...values] },
      );
    }
  }
}

/** Voxel index to RAS: the places of the first and the last slice say how far slices are apart. */
function affineOf(slices: readonly PlacedSlice[]): { rows: readonly number[] } {
  const [first, last] = [itemAt(slices, 0), itemAt(slices, slices.length - 1)];
  const [row, column] = first.directions;
  const normal = normalOf(first);
  const step: Triple =
    slices.length > 1
      ? mapAxes(AXES, (world) => (last.position[world] - first.position[world]) / (slices.length - 1))
      : mapAxes(normal, (n) => n * (first.thickness ?? 1));
  const [x, y] = [mapAxes(row, (n) => n * first.spacing[0]), mapAxes(column, (n) => n * first.spacing[1])];
  return lpsToRas({
    rows: AXES.flatMap((world) => [x, y, step, first.position].map((vector) => vector[world])),
  });
}

function passedOver({ others, foreign }: DicomFolder, path: string): string[] {
  const names = [...others.map(kindOf), ...foreign.map((file) => `${basename(file)} (no DICOM)`)];
  if (names.length === 0) return [];
  return [
    `${path}: ${names.length} file${names.length === 1 ? ' is no slice and was' : 's are no slices and were'} ` +
      `passed over: ${listed(names, 8)}`,
  ];
}

function withoutThickness(slices: readonly PlacedSlice[]): string[] {
  const [only] = slices;
  if (!only || slices.length > 1 || only.thickness !== undefined) return [];
  return [
    `${only.file}: the only slice says no SliceThickness and no SpacingBetweenSlices; it is taken as 1 mm thick`,
  ];
}

function withoutRescale(slices: readonly PlacedSlice[]): string[] {
  const without = slices.filter(({ rescale }) => rescale === undefined);
  const [one] = without;
  if (!one || without.length === slices.length) return [];
  const frames = slices.filter(({ file }) => file === one.file).length;
  return [
    `${nameOf(one, frames)}: ${without.length} of ${slices.length} slices have no RescaleSlope and RescaleIntercept, ` +
      'which the others have; their values are taken as stored: check the intensities',
  ];
}
