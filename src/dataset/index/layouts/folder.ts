import { dirname, join } from 'node:path';
import { DataError } from '../../../errors.js';
import { datasetFolder, type FolderDataset } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { filesBelow } from '../walk-folder.js';
import { globCase } from './glob-case.js';
import { unmatchedNote } from './listed-parts.js';
import type { Listing } from './listing.js';
import { matchCases } from './match-cases.js';

/**
 * What is read when the index gives no glob; `.raw` and `.zraw` belong
 * to their `.mhd`, `.img` to its `.hdr`, and a folder is read as DICOM only when asked.
 */
const anyScan = '**/*.{nii,nii.gz,hdr,mhd,mha,nrrd,nhdr,mgh,mgz}';

/**
 * Layout `folder`: scans by glob below `path`, with labels by a second glob or without. What the wildcards
 * match is the name of a case, so that `images/*.nii.gz` and `labels/*_seg.nii.gz` pair `images/a.nii.gz`
 * with `labels/a_seg.nii.gz`. Some images may have no label: they are listed without one. A glob that ends in
 * "/" matches folders with files in them, each a DICOM series.
 * @throws DataError when nothing matches the images, or the labels where they are named
 */
export async function listFolderCases(name: string, entry: FolderDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const globs = entry.images === undefined ? [anyScan] : [entry.images].flat();
  const root = folder.replaceAll('\\', '/');
  const patterns = {
    channels: globs.map((glob) => ({ name: glob, caseOf: globCase(root, glob) })),
    ...(entry.labels !== undefined && { labelOf: globCase(root, entry.labels) }),
    mixed: true,
  };
  const { labelled, unlabelled, others } = matchCases(withFolders(await filesBelow(folder)), patterns);
  const cases = withMasksNamed([...labelled, ...unlabelled]);
  if (cases.length === 0) {
    throw new DataError(
      `no file below ${folder} matches ${globs.map((glob) => `"${join(folder, glob)}"`).join(' or ')}: correct "path" or "images"`,
      {
        file: folder,
        field: 'images',
        expected: globs,
      },
    );
  }
  if (entry.labels !== undefined && !cases.some(({ label }) => label !== undefined)) {
    throw new DataError(
      `no file below ${folder} matches "${join(folder, entry.labels)}": correct "labels", or leave it out to use images alone`,
      { file: folder, field: 'labels', expected: entry.labels },
    );
  }
  const labelMap = entry.labelMap;
  return {
    modality: entry.modality,
    classes: entry.labels === undefined ? {} : (entry.classes ?? {}),
    cases: cases.map((listed) => (listed.label && labelMap ? { ...listed, labelMap } : listed)),
    folder,
    notes: unmatchedNote(withoutSlices(cases, others), 'match neither "images" nor "labels"'),
  };
}

/** Of files that are no case's own, those that are no slice of a case's series. */
function withoutSlices(cases: readonly ListedCase[], others: readonly string[]): string[] {
  const folders = new Set(cases.flatMap(({ images, label }) => [...images, label]));
  return others.filter((file) => !folders.has(file.slice(0, file.lastIndexOf('/') + 1)));
}

/** Several labels without an image in one folder are the masks of a case, which this layout does not take. */
function withMasksNamed(cases: readonly ListedCase[]): readonly ListedCase[] {
  const alone = cases.filter(({ images, label }) => images.length === 0 && label !== undefined);
  const folders = alone.map(({ label = '' }) => dirname(label));
  return cases.map((listed) => {
    const folder = alone.includes(listed) ? dirname(listed.label ?? '') : undefined;
    if (folders.filter((other) => other === folder).length < 2 || listed.problem === undefined) return listed;
    const hint = 'where each file in its folder is the mask of one structure, use the layout "masks"';
    return { ...listed, problem: `${listed.problem}; ${hint}` };
  });
}

/**
 * Also the folders that hold files, each with "/" at its end, so that only a glob for folders matches them.
 */
export function withFolders(files: readonly string[]): string[] {
  return [...files, ...new Set(files.map((file) => file.slice(0, file.lastIndexOf('/') + 1)))];
}
