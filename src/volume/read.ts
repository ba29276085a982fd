import { stat } from 'node:fs/promises';
import { DataError, errorCode, HybridMimError } from '../errors.js';
import { readDicomSeries } from './dicom-read.js';
import { readItkFile } from './itk-read.js';
import { readNifti, readVolumeHeader } from './nifti-read.js';
import { nrrdOddities } from './nrrd-geometry.js';
import { openPlainSlices } from './plain-slices.js';
import { scanParts } from './scan-parts.js';
import { readTextHeader, textFormatOf } from './text-header.js';
import type { ValueUse, Volume, VoxelArray } from './volume.js';
import { openNiftiSlices, slicesOfVolume, type VolumeSlices } from './volume-slices.js';

/**
 * Reads a scan or label: NIfTI (`.nii`, `.nii.gz`, told by content), MetaImage (`.mha`, `.mhd` with its
 * `.raw` or `.zraw`), NRRD (`.nrrd`, `.nhdr`), or a folder that holds one DICOM series. Values stay in the
 * file's type where they can; 64-bit types become float32.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readVolume(path: string): Promise<Volume> {
  return readFor(path, 'intensities');
}

/**
 * Reads a label as `readVolume` reads a scan, but whole numbers of 64-bit types stay exact up to 2^53, in
 * float64.
 * @throws DataError as `readVolume` does
 */
export async function readLabel(path: string): Promise<Volume> {
  return readFor(path, 'labels');
}

async function readFor(path: string, use: ValueUse): Promise<Volume> {
  return ofFile(path, async () => (await readByItk(path, use)) ?? readNifti(path, use));
}

/**
 * Opens a scan or label to be read slice by slice, with the values that `readVolume` gives. NIfTI, and
 * MetaImage and NRRD of three axes and one channel, are read in pieces, compressed or not; what else there
 * is, DICOM above all, is held whole.
 * @throws DataError as `readVolume` does, here or while slices are read
 */
export async function openSlices(path: string): Promise<VolumeSlices> {
  return openSlicesFor(path, 'intensities');
}

/**
 * Opens a label to be read slice by slice, with the values that `readLabel` gives.
 * @throws DataError as `openSlices` does
 */
export async function openLabelSlices(path: string): Promise<VolumeSlices> {
  return openSlicesFor(path, 'labels');
}

async function openSlicesFor(path: string, use: ValueUse): Promise<VolumeSlices> {
  const opened = await ofFile(path, async () => {
    const format = textFormatOf(path);
    const plain = format && (await openPlainSlices(path, format));
    if (plain) return plain;
    const whole = await readByItk(path, use);
    return whole ? slicesOfVolume(whole) : openNiftiSlices(path, use);
  });
  return { ...opened, slices: () => slicesOfFile(path, opened.slices()) };
}

/**
 * What goes wrong with a file in a way that nobody foresaw is still wrong with that file, and the next one can
 * be read. Where the system has no more files or memory to give, that is not so.
 */
async function ofFile<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const code = errorCode(cause);
    if (cause instanceof HybridMimError || code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM')
      throw cause;
    const why = code ?? (cause instanceof Error ? cause.message : String(cause));
    throw new DataError(
      `${path} could not be read (${why}): check the file, or copy or download it again`,
      { file: path },
      { cause },
    );
  }
}

async function* slicesOfFile(
  path: string,
  slices: AsyncGenerator<VoxelArray, void>,
): AsyncGenerator<VoxelArray, void> {
  try {
    for (;;) {
      const next = await ofFile(path, () => slices.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await slices.return();
  }
}

/**
 * Bytes of the voxels of a scan that `openSlices` holds whole, as far as its header tells (a compressed DICOM
 * series takes more); undefined for one that is read in pieces.
 * @throws DataError when a header cannot be read or a data file is missing
 */
export async function bytesHeldWhole(path: string): Promise<number | undefined> {
  return ofFile(path, async () => {
    const format = textFormatOf(path);
    if (format)
      return (await openPlainSlices(path, format)) ? undefined : (await readTextHeader(path, format)).bytes;
    if (!(await isFolder(path))) return undefined;
    const parts = await Promise.all((await scanParts(path)).map((file) => stat(file)));
    return parts.reduce((sum, { size }) => sum + size, 0);
  });
}

/**
 * What is odd about the header of a scan or label that can be read: what readers take differently, or had to
 * guess. One sentence each, which names the file; none for a DICOM folder.
 * @throws DataError as `readVolume` does for a header
 */
export async function headerOddities(path: string): Promise<readonly string[]> {
  return ofFile(path, async () => {
    const format = textFormatOf(path);
    if (format) {
      const header = await readTextHeader(path, format);
      return header.meta?.oddities ?? nrrdOddities(path, header);
    }
    if (await isFolder(path)) return [];
    return (await readVolumeHeader(path)).oddities;
  });
}

/** What is not NIfTI by its name or because it is a folder; else undefined. */
async function readByItk(path: string, use: ValueUse): Promise<Volume | undefined> {
  const format = textFormatOf(path);
  if (format) return readItkFile(path, format, use);
  return (await isFolder(path)) ? readDicomSeries(path, use) : undefined;
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
