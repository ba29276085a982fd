import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { DataError } from '../../../errors.js';

/**
 * Every file below a folder, absolute, with "/" between folders on every system, sorted.
 * Links are followed, but not back into a folder above them; hidden files and folders
 * are left out, among them the `._*` twins that macOS puts into archives and `__MACOSX`.
 * @throws DataError when the folder cannot be read
 */
export async function filesBelow(folder: string): Promise<string[]> {
  const found = await filesOf(folder, []);
  return found.map((file) => file.replaceAll(sep, '/')).sort();
}

async function filesOf(folder: string, above: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'ENOENT'
        ? 'does not exist'
        : cause.code === 'ENOTDIR'
          ? 'is no folder'
          : `cannot be read (${cause.code})`;
    throw new DataError(
      `the dataset folder ${folder} ${why}: correct "path" in the dataset index`,
      { file: folder, field: 'path' },
      { cause },
    );
  });
  const here = await realpath(folder);
  if (above.includes(here)) return [];
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
    const path = join(folder, entry.name);
    const target = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (target?.isDirectory()) files.push(...(await filesOf(path, [...above, here])));
    // A link that leads nowhere counts as a file, so that its case is reported instead of not existing.
    else if (target === undefined || target.isFile()) files.push(path);
  }
  return files;
}
