import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError } from '../errors.js';

/** A NIfTI scan in two files. */
export interface NiftiPair {
  readonly header: string;
  readonly voxels: string;
}

/** Whether a name is that of one half of a pair: `.hdr`, `.img`, either compressed. */
export const isPairName = (path: string): boolean => /\.(hdr|img)(\.gz)?$/i.test(path);

/**
 * The two files of a NIfTI scan, given either: `scan.hdr` and `scan.img`, each compressed or not, in any case.
 * @throws DataError when the other is missing
 */
export async function niftiPair(path: string): Promise<NiftiPair> {
  const name = basename(path);
  const isHeader = /\.hdr(\.gz)?$/i.test(name);
  const stem = name.replace(/\.(hdr|img)(\.gz)?$/i, '');
  const ending = isHeader ? /^\.img(\.gz)?$/i : /^\.hdr(\.gz)?$/i;
  const beside = await readdir(dirname(path)).catch(() => []);
  const other = beside
    .filter((entry) => entry.startsWith(stem) && ending.test(entry.slice(stem.length)))
    .sort()[0];
  if (other === undefined) {
    throw new DataError(
      `${path} is one half of a pair, and its ${isHeader ? 'voxels' : 'header'} in ` +
        `${join(dirname(path), stem)}${isHeader ? '.img' : '.hdr'} do${isHeader ? '' : 'es'} not exist: copy both into one folder`,
      { file: path },
    );
  }
  const found = join(dirname(path), other);
  return isHeader ? { header: path, voxels: found } : { header: found, voxels: path };
}
