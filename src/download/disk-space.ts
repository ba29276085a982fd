import { statfs } from 'node:fs/promises';
import { byteSize } from '../byte-size.js';
import { WorkError } from '../errors.js';

/** What a download still takes on its disk, in bytes. */
export interface SpaceNeeds {
  readonly toDownload: number;
  readonly toUnpack: number;
}

/**
 * Holds what is needed against what is free on the disk of a folder.
 * @throws WorkError when it does not fit
 */
export async function requireSpace(folder: string, needs: SpaceNeeds): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  requireFits(folder, needs, bavail * bsize);
}

/** The same for a known number of free bytes. Throws WorkError when it does not fit. */
export function requireFits(folder: string, { toDownload, toUnpack }: SpaceNeeds, freeBytes: number): void {
  const needed = toDownload + toUnpack;
  if (needed <= freeBytes) return;
  throw new WorkError(
    `the dataset takes ${byteSize(needed)} more on the disk of ${folder} ` +
      `(${byteSize(toDownload)} to download, ${byteSize(toUnpack)} to unpack), but ${byteSize(freeBytes)} is free: ` +
      'free space, or choose another --out',
    { file: folder, found: freeBytes, expected: needed },
  );
}
