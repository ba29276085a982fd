import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../errors.js';

/**
 * The files of a folder, and those that its links lead to, sorted: paths that begin with `folder`. Hidden files,
 * such as those that macOS leaves beside others, are none.
 * @throws DataError for a link that leads nowhere, which may have been a slice; the system's error where there
 * is no such folder
 */
export async function filesOfFolder(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const file = join(folder, entry.name);
    if (entry.isFile() || (entry.isSymbolicLink() && (await isLinkedFile(file)))) files.push(file);
  }
  return files.sort();
}

async function isLinkedFile(link: string): Promise<boolean> {
  const found = await stat(link).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(
      `${link} is a link that leads nowhere (${cause.code}): fetch the file that it names, or remove the link`,
      { file: link },
      { cause },
    );
  });
  return found.isFile();
}
