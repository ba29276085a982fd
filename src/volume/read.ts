import { stat } from 'node:fs/promises';
import { DataError, errorCode, HybridMimError } from '../errors.js';
import { openDicomFile } from './dicom-file.js';
import {
  dicomOddities,
  dicomPatient,
  isDicomLabel,
  type LabelTarget,
  openDicomLabel,
  openDicomSeries,
} from './dicom-read.js';
import { readItkFile } from './itk-read.js';
import { metaImageGeometry } from './meta-geometry.js';
import { isMghFile, readMgh, readMghHeader } from './mgh-read.js';
import { readNifti, readVolumeHeader } from './nifti-read.js';
import { nrrdOddities } from './nrrd-geometry.js';
import { openPlainSlices } from './plain-slices.js';
import { isSlicerSegmentation, laidIntoImage } from './slicer-segmentation.js';
import { readTextHeader, type TextFormat, textFormatOf } from './text-header.js';
import type { ValueUse, Volume, VoxelArray } from './volume.js';
import { openNiftiSlices, slicesOfVolume, type VolumeSlices, volumeOfSlices } from './volume-slices.js';

/**
 * Reads a scan or label: NIfTI (`.nii`, `.nii.gz`, told by content, or a pair of `.hdr` and `.img`), MetaImage
 * (`.mha`, `.mhd` with its `.raw` or `.zraw`), NRRD (`.nrrd`, `.nhdr`), FreeSurfer's `.mgh` and `.mgz`, one DICOM
 * file or a folder that holds one DICOM series. Values stay in the file's type where they can; 64-bit types become
 * float32.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readVolume(path: string): Promise<Volume> {
  return readFor(path, 'intensities', openDicomSeries);
}

/**
 * Reads a label as `readVolume` reads a scan, but whole numbers of 64-bit types stay exact up to 2^53, in
 * float64, and a DICOM segmentation (SEG), contours (RTSTRUCT) or a segmentation of 3D Slicer are laid into the
 * grid of `target`.
 * @throws DataError as `readVolume` does
 */
export async function readLabel(path: string, target: LabelTarget = {}): Promise<Volume> {
  const label = await readFor(path, 'labels', () => openDicomLabel(path, target));
  return (await isSlicers(path)) ? laidIntoImage(label, target.grid, path) : label;
}

/**
 * Whether a label is laid into the grid of its image, since it need not hold all of it: a DICOM segmentation or
 * contours, or a segmentation of 3D Slicer.
 * @throws DataError when its header cannot be read
 */
export async function isLaidIntoImage(path: string): Promise<boolean> {
  if (await isSlicers(path)) return true;
  return ofFile(path, async () => (await scanFormat(path)) === 'dicom' && isDicomLabel(path));
}

/** A folder may be called as an NRRD file is. */
const isSlicers = (path: string): Promise<boolean> =>
  ofFile(path, async () => (await scanFormat(path)) === 'nrrd' && isSlicerSegmentation(path));

/** How a path that is DICOM is opened: as a scan, or as a label of one. */
type OpenDicom = (path: string) => Promise<VolumeSlices>;

async function readFor(path: string, use: ValueUse, openDicom: OpenDicom): Promise<Volume> {
  return ofFile(path, async () => {
    const format = await scanFormat(path);
    if (format === 'nifti') return readNifti(path, use);
    if (format === 'dicom') return volumeOfSlices(await openDicom(path));
    return format === 'mgh' ? readMgh(path, use) : readItkFile(path, format, use);
  });
}

/**
 * Opens a scan or label to be read slice by slice, with the values that `readVolume` gives. NIfTI, DICOM, and
 * MetaImage and NRRD of three axes and one channel, are read in pieces, compressed or not; what else there
 * is, is held whole.
 * @throws DataError as `readVolume` does, here or while slices are read
 */
export async function openSlices(path: string): Promise<VolumeSlices> {
  return openSlicesFor(path, 'intensities', openDicomSeries);
}

/**
 * Opens a label to be read slice by slice, with the values that `readLabel` gives.
 * @throws DataError as `openSlices` does
 */
export async function openLabelSlices(path: string, target: LabelTarget = {}): Promise<VolumeSlices> {
  if (await isSlicers(path)) return slicesOfVolume(await readLabel(path, target));
  return openSlicesFor(path, 'labels', () => openDicomLabel(path, target));
}

async function openSlicesFor(path: string, use: ValueUse, openDicom: OpenDicom): Promise<VolumeSlices> {
  const opened = await ofFile(path, async () => {
    const format = await scanFormat(path);
    if (format === 'nifti') return openNiftiSlices(path, use);
    if (format === 'dicom') return openDicom(path);
    if (format === 'mgh') return slicesOfVolume(await readMgh(path, use));
    return (await openPlainSlices(path, format)) ?? slicesOfVolume(await readItkFile(path, format, use));
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
 * Bytes of the voxels of a scan that `openSlices` holds whole, as far as its header tells; undefined for one that is
 * read in pieces.
 * @throws DataError when a header cannot be read or a data file is missing
 */
export async function bytesHeldWhole(path: string): Promise<number | undefined> {
  return ofFile(path, async () => {
    const format = await scanFormat(path);
    if (format === 'nifti' || format === 'dicom') return undefined;
    if (format === 'mgh') return (await readMghHeader(path)).bytes;
    return (await openPlainSlices(path, format)) ? undefined : (await readTextHeader(path, format)).bytes;
  });
}

/**
 * What is odd about the header of a scan or label that can be read: what readers take differently, or had to
 * guess; of a DICOM folder also which of its files are no slices. One sentence each, which names the file.
 * @throws DataError as `readVolume` does for a header
 */
export async function headerOddities(path: string): Promise<readonly string[]> {
  return ofFile(path, async () => {
    const format = await scanFormat(path);
    if (format === 'nifti') return (await readVolumeHeader(path)).oddities;
    if (format === 'dicom') return dicomOddities(path);
    if (format === 'mgh') return [];
    const header = await readTextHeader(path, format);
    if (!header.meta) return nrrdOddities(path, header);
    return [...header.meta.oddities, ...metaImageGeometry(path, header).oddities];
  });
}

/**
 * Whose scan it is, where its format says that: the PatientID of DICOM. For comparing alone: it may be a name.
 * @throws DataError as `readVolume` does for a header
 */
export async function patientIn(path: string): Promise<string | undefined> {
  return ofFile(path, async () => ((await scanFormat(path)) === 'dicom' ? dicomPatient(path) : undefined));
}

/** By name, and by content where the name says nothing. What is unknown is taken for NIfTI, which then says more. */
async function scanFormat(path: string): Promise<TextFormat | 'dicom' | 'mgh' | 'nifti'> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return 'dicom';
  const named = textFormatOf(path) ?? (isMghFile(path) ? 'mgh' : undefined);
  if (named || !found?.isFile()) return named ?? 'nifti';
  if (/\.(dcm|dicom|ima)$/i.test(path)) return 'dicom';
  return !/\.(nii|nii\.gz|hdr|img)$/i.test(path) && (await openDicomFile(path)) ? 'dicom' : 'nifti';
}
