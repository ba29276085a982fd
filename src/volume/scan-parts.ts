import { stat } from 'node:fs/promises';
import { filesOfFolder } from './folder-files.js';
import { isPairName, niftiPair } from './nifti-pair.js';
import { readTextHeader, textFormatOf } from './text-header.js';

/**
 * The files that a scan consists of, absolute where `path` is: the file itself, with the data file of a
 * MetaImage or NRRD header, both files of a NIfTI pair, or every file of a DICOM folder, sorted. A change in any of them is a change of
 * the scan.
 * @throws DataError when a header cannot be read or its data file is missing
 */
export async function scanParts(path: string): Promise<string[]> {
  const format = textFormatOf(path);
  if (format) return withData(path, (await readTextHeader(path, format)).dataFile);
  const folder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (!folder && !isPairName(path)) return [path];
  if (!folder) {
    const { header, voxels } = await niftiPair(path);
    return [header, voxels];
  }
  return filesOfFolder(path);
}

const withData = (header: string, data: string): string[] => (data === header ? [header] : [header, data]);
