import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { DataError } from '../../errors.js';

/** A file below a folder. */
export interface FoundFile {
  /** Absolute where the folder is, with "/" between folders on every system. */
  readonly path: string;
  /** `broken-link`: a link that leads nowhere; `special`: a pipe, socket or device. */
  readonly kind: 'file' | 'broken-link' | 'special';
  /** Its own name or that of a folder above it begins with "." or is `__MACOSX`. */
  readonly hidden: boolean;
}

/** What is below a folder. */
export interface FoundFiles {
  /** By their paths. */
  readonly files: readonly FoundFile[];
  /** Links to a folder that they lie in, which are not followed. */
  readonly loops: readonly string[];
  /** Folders that may not be read. */
  readonly unreadable: readonly string[];
}

/**
 * Every file below a folder, hidden ones too. Links are followed, but not back into a folder above them.
 * @throws DataError when the folder itself cannot be read
 */
export async function walkFolder(folder: string): Promise<FoundFiles> {
  const found: Collected = { files: [], loops: [], unreadable: [] };
  await walk(folder, await entriesOf(folder), [], false, found);
  const slashed = (path: string) => path.replaceAll(sep, '/');
  const byPath = (a: FoundFile, b: FoundFile) => (a.path < b.path ? -1 : 1);
  return {
    files: found.files.map((file) => ({ ...file, path: slashed(file.path) })).sort(byPath),
    loops: found.loops.map(slashed).sort(),
    unreadable: found.unreadable.map(slashed).sort(),
  };
}

/**
 * Every file below a folder, absolute, with "/" between folders on every system, sorted, as layouts look for
 * cases: without hidden files and folders, among them the `._*` twins that macOS puts into archives and
 * `__MACOSX`. A link that leads nowhere is a file, so that its case is reported instead of not existing.
 * @throws DataError when the folder or one below it cannot be read
 */
export async function filesBelow(folder: string): Promise<string[]> {
  const { files, unreadable } = await walkFolder(folder);
  const [first] = unreadable.filter((path) => !isHidden(path.slice(folder.length)));
  if (first !== undefined) throw unreadableFolder(first, 'EACCES');
  return files.filter(({ kind, hidden }) => !hidden && kind !== 'special').map(({ path }) => path);
}

type Collected = { readonly [Key in keyof FoundFiles]: FoundFiles[Key][number][] };

async function walk(
  folder: string,
  entries: readonly Dirent[],
  above: readonly string[],
  inHidden: boolean,
  found: Collected,
): Promise<void> {
  const here = await realpath(folder);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const hidden = inHidden || isHiddenName(entry.name);
    const target = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (target?.isDirectory()) {
      if ([...above, here].includes(await realpath(path))) found.loops.push(path);
      else {
        const below = await readdir(path, { withFileTypes: true }).catch(() => undefined);
        if (below) await walk(path, below, [...above, here], hidden, found);
        else found.unreadable.push(path);
      }
    } else {
      const kind = target === undefined ? 'broken-link' : target.isFile() ? 'file' : 'special';
      found.files.push({ path, kind, hidden });
    }
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(async (cause: NodeJS.ErrnoException) => {
    throw unreadableFolder(folder, (await isBrokenLink(folder)) ? 'broken link' : cause.code, cause);
  });
}

const isBrokenLink = async (path: string): Promise<boolean> =>
  ((await lstat(path).catch(() => undefined))?.isSymbolicLink() ?? false) &&
  (await stat(path).catch(() => undefined)) === undefined;

function unreadableFolder(folder: string, code: string | undefined, cause?: unknown): DataError {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'is no folder',
    'broken link': 'is a link that leads nowhere',
  };
  const why = reasons[code ?? ''] ?? `cannot be read (${code})`;
  return new DataError(
    `the dataset folder ${folder} ${why}: correct "path" in the dataset index`,
    { file: folder, field: 'path' },
    { cause },
  );
}

const isHiddenName = (name: string): boolean => name.startsWith('.') || name === '__MACOSX';
const isHidden = (path: string): boolean => path.split(/[\\/]/).some(isHiddenName);
