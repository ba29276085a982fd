import { basename, dirname } from 'node:path';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { isDicomFile, isLaidIntoImage, isScanFile } from '../volume/index.js';
import { isLabel } from './pair-scans.js';

export interface DicomContent {
  /** Folders that are a series each. */
  readonly series: string[];
  /** Segmentations and contours: files, or folders that hold one. */
  readonly labels: string[];
}

/** Names of DICOM files without an ending of their own: `IM0001`, `1.2.840.113619.2`. */
const plainName = /^[^.]+$|\.\d+$/;
const dicomEnding = /\.(?:dcm|dicom|ima)$/i;
/** Usual names of contours beside the slices that they belong to. */
const contoursName = /^(?:rs|rt[-_ ]?s(?:s|truct)?|rtstruct)(?:[-_. ]|$)/i;

/**
 * The series and labels in DICOM among files: by their endings, else by the content of one file a folder.
 * @param files absolute, with "/"
 * @throws DataError for a folder that holds slices and scans in other formats
 */
export async function dicomContent(files: readonly string[]): Promise<DicomContent> {
  const folders = new Map<string, string[]>();
  for (const file of files) folders.set(dirname(file), [...(folders.get(dirname(file)) ?? []), file]);
  const found: DicomContent = { series: [], labels: [] };
  for (const [folder, within] of folders) {
    const dicom = await dicomFiles(within);
    if (dicom.length === 0) continue;
    const scan = within.find((file) => isScanFile(file) && !isLabel(basename(file)));
    if (scan !== undefined) {
      throw new DataError(
        `${folder} holds slices in DICOM such as ${basename(itemAt(dicom, 0))}, and the scan ${basename(scan)}: which of them is meant cannot be told; move one away`,
        { file: folder },
      );
    }
    if (dicom.length === 1 && (await isLaidIntoImage(folder))) {
      found.labels.push(folder);
      continue;
    }
    found.series.push(folder);
    for (const file of dicom)
      if ((contoursName.test(basename(file)) || isLabel(basename(file))) && (await isLaidIntoImage(file)))
        found.labels.push(file);
  }
  return found;
}

/** Those of a folder that are DICOM. */
async function dicomFiles(within: readonly string[]): Promise<string[]> {
  const named = within.filter((file) => dicomEnding.test(file));
  if (named.length > 0) return named;
  const plain = within.filter((file) => !isScanFile(file) && plainName.test(basename(file)));
  const [first] = plain;
  return first !== undefined && (await isDicomFile(first)) ? plain : [];
}
