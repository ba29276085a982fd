import type { DatasetEntry } from '../dataset-file.js';
import { listFilesCases } from './files.js';
import { listFolderCases } from './folder.js';
import type { Listing } from './listing.js';
import { listMaskCases } from './masks.js';
import { listMsdCases } from './msd.js';
import { listNnunetCases } from './nnunet.js';
import { listRelease } from './release.js';

/**
 * Lists the cases of a dataset by its layout.
 * @param name of the dataset, for errors
 * @param file the index, for errors and relative paths
 * @throws DataError when the folder or its description is missing
 *   or of another layout, UsageError when the entry is wrong
 */
export async function listCases(name: string, entry: DatasetEntry, file: string): Promise<Listing> {
  switch (entry.layout) {
    case 'files':
      return listFilesCases(name, entry, file);
    case 'msd':
      return listMsdCases(name, entry, file);
    case 'nnunet':
      return listNnunetCases(name, entry, file);
    case 'folder':
      return listFolderCases(name, entry, file);
    case 'masks':
      return listMaskCases(name, entry, file);
    default:
      return listRelease(name, entry, file);
  }
}
