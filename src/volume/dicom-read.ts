import { open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Image } from 'itk-wasm';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { affineRows, checkAffine, spacingOf } from './affine.js';
import { type FrameStack, requireOneStack, requireWholePixels } from './dicom-bytes.js';
import { type DicomSlice, differsInRescale, orderedSlices } from './dicom-slices.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import { scanParts } from './scan-parts.js';
import { AXES, mapAxes, type Triple } from './triple.js';
import type { ValueUse, Volume } from './volume.js';

/**
 * Reads a folder with the slices of one DICOM series, whatever their names; rescale slope and intercept are
 * applied, those of each slice to it (HU for CT). Files that are no DICOM are passed over, unless they are named as slices. Each slice's header is read on its own, which
 * takes most of the time: about 20 s for 300 slices.
 * @throws DataError when the folder holds no series or several, a slice is missing, of another size or
 * direction, short or damaged, the gantry was tilted, or a file holds frames that are not one stack
 */
export async function readDicomSeries(folder: string, use?: ValueUse): Promise<Volume> {
  const slices: DicomSlice[] = [];
  const others: string[] = [];
  for (const file of await scanParts(resolve(folder))) {
    if (await isDicom(file)) slices.push(await readSlice(file));
    else others.push(file);
  }
  requireNoLostSlice(slices, others);
  const ordered = orderedSlices(slices, folder);
  const only = ordered.length === 1 ? itemAt(ordered, 0) : undefined;
  const stack = only && only.frames > 1 ? await requireOneStack(only.file, only.frames) : undefined;
  if (differsInRescale(ordered)) return readEachSlice(ordered, folder);
  const volume = volumeOfItk(await readByItk(ordered, folder), folder, use);
  if (stack) requireStep(volume, stack, folder);
  return volume;
}

/** The slices as one image. Of slopes and intercepts it applies one pair to all. */
async function readByItk(slices: readonly DicomSlice[], folder: string): Promise<Image> {
  const { readImageDicomFileSeriesNode } = await import('@itk-wasm/dicom');
  const inputImages = slices.map(({ file }) => file);
  try {
    return (await quietly(() => readImageDicomFileSeriesNode({ inputImages, singleSortedSeries: true })))
      .outputImage;
  } catch (cause) {
    throw new DataError(
      `the DICOM series in ${folder} could not be read to its end: copy or download it again`,
      { file: folder },
      { cause },
    );
  }
}

/** A series of which each slice is read alone, so that its own slope and intercept count. */
async function readEachSlice(slices: readonly DicomSlice[], folder: string): Promise<Volume> {
  const [first, last] = [itemAt(slices, 0), itemAt(slices, slices.length - 1)];
  const grid = volumeOfItk(await readByItk([first], folder), first.file);
  const length = grid.data.length;
  const data = new Float32Array(length * slices.length);
  for (const [i, slice] of slices.entries()) {
    const { data: values } = volumeOfItk(await readByItk([slice], folder), slice.file);
    if (values.length !== length) {
      throw new DataError(
        `${slice.file} holds ${values.length} values, but ${first.file} of its series ${length}: remove what is no slice`,
        { file: slice.file, found: values.length, expected: length },
      );
    }
    data.set(values, i * length);
  }
  // A slice alone does not know how far the next one is.
  const step = mapAxes(
    AXES,
    (world) => (itemAt(last.position, world) - itemAt(first.position, world)) / (slices.length - 1),
  );
  const toRas: Triple = [-step[0], -step[1], step[2]];
  const affine = {
    rows: mapAxes(affineRows(grid.affine), ([x, y, , offset], world) => [x, y, toRas[world], offset]).flat(),
  };
  checkAffine(affine, folder, 'correct ImagePositionPatient of its slices');
  const size: Triple = [grid.size[0], grid.size[1], slices.length];
  return { size, spacing: spacingOf(affine), affine, channels: grid.channels, data };
}

/** Refuses frames that ITK puts elsewhere than the file says: without a spacing it takes 1 mm. */
function requireStep({ affine }: Volume, { step }: FrameStack, folder: string): void {
  const [r, a, s] = affineRows(affine);
  const found = [-r[2], -a[2], s[2]];
  const apart = Math.hypot(...found.map((mm, world) => mm - itemAt(step, world)));
  if (apart <= 0.01 * Math.hypot(...step)) return;
  const short = (vector: readonly number[]) => vector.map((mm) => Number(mm.toFixed(3))).join(', ');
  throw new DataError(
    `the frames in ${folder} lie [${short(step)}] mm apart, but are read as [${short(found)}] mm apart: ` +
      'write them as a series of single slices',
    { file: folder, field: 'ImagePositionPatient', found, expected: step },
  );
}

/**
 * Refuses a file that is named as a slice and is none: one at an end of the series that lost its beginning would
 * be missing without a gap.
 */
function requireNoLostSlice(slices: readonly DicomSlice[], others: readonly string[]): void {
  const patternOf = (file: string) => basename(file).replace(/\d+/g, '#');
  const patterns = new Set(slices.map(({ file }) => patternOf(file)));
  const lost = others.find(
    (file) => !isDirectoryFile(file) && (/\.(dcm|dicom|ima)$/i.test(file) || patterns.has(patternOf(file))),
  );
  if (lost === undefined) return;
  throw new DataError(
    `${lost} is named as a DICOM slice, but does not begin as one: copy or download it again, or remove it`,
    { file: lost },
  );
}

const isDirectoryFile = (file: string): boolean => /(^|[\\/])DICOMDIR$/i.test(file);

/**
 * Every DICOM file has these four letters after 128 bytes of anything; `DICOMDIR` has them too, but is an
 * index.
 */
async function isDicom(file: string): Promise<boolean> {
  if (isDirectoryFile(file)) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 128);
    return bytesRead === 4 && buffer.toString('latin1') === 'DICM';
  } finally {
    await handle.close();
  }
}

const wanted = {
  series: '0020|000e',
  position: '0020|0032',
  directions: '0020|0037',
  rows: '0028|0010',
  columns: '0028|0011',
  frames: '0028|0008',
  samples: '0028|0002',
  bits: '0028|0100',
  intercept: '0028|1052',
  slope: '0028|1053',
};

async function readSlice(file: string): Promise<DicomSlice> {
  const { readDicomTagsNode } = await import('@itk-wasm/dicom');
  let tags: Map<string, string>;
  try {
    const result = await quietly(() =>
      readDicomTagsNode(file, { tagsToRead: { tags: Object.values(wanted) } }),
    );
    tags = new Map(result.tags);
  } catch (cause) {
    throw new DataError(
      `${file} is damaged or truncated: its DICOM header cannot be read; copy or download it again`,
      { file },
      { cause },
    );
  }
  const text = (tag: string) => (tags.get(tag) ?? '').trim();
  const numbers = (tag: string) => text(tag).split('\\').map(Number);
  const or = (tag: string, otherwise: number) => (text(tag) === '' ? otherwise : Number(text(tag)));
  const [columns, rows, frames] = [or(wanted.columns, 0), or(wanted.rows, 0), or(wanted.frames, 1)];
  const [samples, bits] = [or(wanted.samples, 1), or(wanted.bits, 0)];
  await requireWholePixels(file, { rows, columns, frames, samples, bits });
  const rescale: [number, number] = [or(wanted.slope, 1), or(wanted.intercept, 0)];
  if (!rescale.every(Number.isFinite)) {
    throw new DataError(
      `${file}: its rescale slope is "${text(wanted.slope)}" and its intercept "${text(wanted.intercept)}"; expected two ` +
        'numbers, so the header is damaged: copy or download it again',
      { file, field: 'RescaleSlope', found: [text(wanted.slope), text(wanted.intercept)] },
    );
  }
  return {
    file,
    series: text(wanted.series),
    position: numbers(wanted.position),
    directions: numbers(wanted.directions),
    size: [...numbers(wanted.columns), ...numbers(wanted.rows)],
    frames,
    rescale,
  };
}
