import { dirname, join } from 'node:path';
import { DataError } from '../../../errors.js';
import { datasetFolder, type FolderDataset } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { filesBelow } from './files-below.js';
import { globCase } from './glob-case.js';
import type { Listing } from './listing.js';
import { type CaseOf, matchCases } from './match-cases.js';

/**
 * What is read when the index gives no glob; `.raw` and `.zraw` belong
 * to their `.mhd`, and a folder is read as DICOM only when asked.
 */
const anyScan = '**/*.{nii,nii.gz,mhd,mha,nrrd,nhdr}';

/**
 * Layout `folder`: scans by glob below `path`, with labels by a second glob or without. What the wildcards
 * match is the name of a case, so that `images/*.nii.gz` and `labels/*_seg.nii.gz` pair `images/a.nii.gz`
 * with `labels/a_seg.nii.gz`. A glob that ends in "/" matches folders with files in them, each a DICOM
 * series.
 * @throws DataError when nothing matches
 */
export async function listFolderCases(name: string, entry: FolderDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const globs = entry.images === undefined ? [anyScan] : [entry.images].flat();
  const root = folder.replaceAll('\\', '/');
  const patterns = {
    channels: globs.map((glob) => {
      const caseOf = globCase(root, glob);
      return { name: glob, caseOf: entry.images === undefined ? withEndingInAnyCase(caseOf) : caseOf };
    }),
    ...(entry.labels !== undefined && { labelOf: globCase(root, entry.labels) }),
  };
  const { labelled, unlabelled } = matchCases(withFolders(await filesBelow(folder)), patterns);
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
  const labelMap = entry.labelMap;
  return {
    modality: entry.modality,
    classes: entry.labels === undefined ? {} : (entry.classes ?? {}),
    cases: cases.map((listed) => (listed.label && labelMap ? { ...listed, labelMap } : listed)),
  };
}

/** `S0.NII.GZ` is a scan as `S0.nii.gz` is one, where no glob says otherwise. */
const withEndingInAnyCase =
  (caseOf: CaseOf): CaseOf =>
  (file) =>
    caseOf(file.replace(/\.(nii|nii\.gz|mhd|mha|nrrd|nhdr)$/i, (ending) => ending.toLowerCase()));

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
