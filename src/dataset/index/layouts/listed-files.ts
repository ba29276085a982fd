import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Finds files that a list names; each folder is read once. */
export interface ListedFiles {
  /**
   * The path as the disk has it: a name in another Unicode form (é as one character or as two) is found, as
   * macOS finds it. A path that leads nowhere stays as it is.
   */
  find(path: string): Promise<string>;
  /** As `find`, and also `x.nii` for `x.nii.gz` and the other way round, where that alone is there. */
  findCompressedOrNot(path: string): Promise<string>;
}

/** Opens the folders of listed files. */
export function openListedFiles(): ListedFiles {
  const folders = new Map<string, Promise<ReadonlySet<string> | undefined>>();
  const namesIn = (folder: string) => {
    const known = folders.get(folder);
    if (known) return known;
    const names = readdir(folder).then(
      (found) => new Set(found),
      () => undefined, // whoever opens the file says why it cannot
    );
    folders.set(folder, names);
    return names;
  };
  const find = async (path: string): Promise<string> => {
    const given = dirname(path);
    if (given === path) return path;
    const folder = (await namesIn(given)) ? given : await find(given);
    const names = await namesIn(folder);
    const name = basename(path);
    if (!names) return path;
    if (names.has(name)) return join(folder, name);
    const composed = name.normalize('NFC');
    const [same, ...others] = [...names].filter((other) => other.normalize('NFC') === composed);
    return join(folder, same !== undefined && others.length === 0 ? same : name);
  };
  const exists = async (path: string) => (await namesIn(dirname(path)))?.has(basename(path)) ?? false;
  return {
    find,
    findCompressedOrNot: async (path) => {
      const found = await find(path);
      if ((await exists(found)) || !/\.nii(?:\.gz)?$/i.test(path)) return found;
      const other = await find(/\.gz$/i.test(path) ? path.replace(/\.gz$/i, '') : `${path}.gz`);
      return (await exists(other)) ? other : found;
    },
  };
}
