import { stat } from 'node:fs/promises';
import { readDicomSeries } from './dicom-read.js';
import { readItkFile } from './itk-read.js';
import { readNifti } from './nifti-read.js';
import type { Volume } from './volume.js';

/**
 * Reads a scan or label: NIfTI (`.nii`, `.nii.gz`, told by content), MetaImage (`.mha`, `.mhd` with its `.raw` or `.zraw`), NRRD (`.nrrd`,
 * `.nhdr`), or a folder that holds one DICOM series. Values stay in the file's type where they can; 64-bit types become float32.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readVolume(path: string): Promise<Volume> {
  if (/\.(mha|mhd)$/i.test(path)) return readItkFile(path, 'metaimage');
  if (/\.(nrrd|nhdr)$/i.test(path)) return readItkFile(path, 'nrrd');
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? readDicomSeries(path) : readNifti(path);
}
