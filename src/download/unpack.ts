import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Unpack } from 'tar';
import { DataError, WorkError } from '../errors.js';
import { notWritten } from '../not-written.js';
import { makeFolder, moveWholeFolder } from '../whole-file.js';

/** What was unpacked. */
export interface Unpacked {
  readonly files: number;
  readonly bytes: number;
}

export interface UnpackOptions {
  readonly archive: string;
  /**
   * Where the dataset will be; nothing may be there. Its last part is the name of the folder in the archive.
   */
  readonly folder: string;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
  /** Gets how many bytes of the archive have been read. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Unpacks a dataset's archive. It is unpacked beside the place where it belongs and moved there when all of
 * it is on disk. The Mac's files of attributes (`._*`) are left out.
 * @returns how many files there are, and their bytes together
 * @throws DataError when it is no tar archive, lacks the dataset's folder, or has an entry that is a link or
 *   would leave the folder; WorkError when the disk took not all of it; the AbortError of a signal. Nothing
 *   stays then.
 */
export async function unpackArchive(options: UnpackOptions): Promise<Unpacked> {
  const beside = `${options.folder}.unpacking`;
  await rm(beside, { recursive: true, force: true }); // of a run that was killed
  await mkdir(beside);
  try {
    await extractInto(beside, options);
    const unpacked = join(beside, options.name);
    await requireDataset(unpacked, options);
    const counted = await countFiles(unpacked);
    await moveWholeFolder(unpacked, options.folder);
    return counted;
  } finally {
    await rm(beside, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * What is wrong with an entry of an archive that is to stay within one folder: a way out of it, or something
 * that is no file or folder.
 * @param type as tar names it, such as `File` or `SymbolicLink`
 * @returns undefined when it may be unpacked
 */
export function entryProblem(path: string, type: string): string | undefined {
  if (/^([/\\]|[a-z]:)/i.test(path)) return 'is an absolute path';
  if (path.split(/[/\\]/).includes('..')) return 'leads out of the folder by ".."';
  if (!plainTypes.has(type)) return `is neither a file nor a folder, but a ${type}`;
  return undefined;
}

const plainTypes = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory']);

const isAttributesOfMac = (path: string): boolean => /(^|\/)\._[^/]*\/?$/.test(path);

async function extractInto(target: string, { archive, signal, onBytes }: UnpackOptions): Promise<void> {
  let refused: string | undefined;
  const sizes = new Map<string, number>();
  const unpack = new Unpack({
    cwd: target,
    strict: true, // what tar would only warn of is an error
    preserveOwner: false,
    filter: (path, entry) => {
      const problem = entryProblem(path, 'type' in entry ? entry.type : 'File');
      if (problem !== undefined) refused ??= `${archive}: the entry "${path}" ${problem}`;
      const wanted = refused === undefined && !isAttributesOfMac(path);
      if (wanted && 'type' in entry && entry.type !== 'Directory') sizes.set(path, entry.size);
      return wanted;
    },
  });
  const written = new Promise<void>((resolve, reject) => unpack.on('close', resolve).on('error', reject));
  written.catch(() => {}); // awaited below, perhaps after it has failed
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(archive, { highWaterMark: 2 ** 20, signal })) {
      if (!unpack.write(chunk)) await Promise.race([new Promise((go) => unpack.once('drain', go)), written]);
      bytes += chunk.length;
      onBytes(bytes);
    }
    unpack.end();
    await written;
  } catch (error) {
    throw await tarProblem(error, archive, target);
  }
  if (refused !== undefined) throw new DataError(`${refused}: nothing was unpacked`, { file: archive });
  for (const [path, size] of sizes) await requireSize(join(target, path), size);
}

/** tar takes a write of fewer bytes than it asked for as one of all, as the system answers on a full disk. */
async function requireSize(file: string, expected: number): Promise<void> {
  const { size } = await stat(file);
  if (size === expected) return;
  throw new WorkError(
    `${file} was unpacked to ${size} bytes of ${expected}, as where the disk is full: nothing is kept; ` +
      'free some space and run the same command again',
    { file, found: size, expected },
  );
}

/** tar's own errors say what is wrong with the archive; the system's, what it refuses of the folder. */
async function tarProblem(error: unknown, archive: string, target: string): Promise<unknown> {
  const code = error instanceof Error && 'tarCode' in error ? error.tarCode : undefined;
  const unmade = error instanceof Error ? unmadeFolder(error) : undefined;
  if (unmade !== undefined)
    return makeFolder(unmade).then(
      () => notWritten(unmade, new Error('the system refused it once'), 'could not be made'),
      (refusal: unknown) => refusal,
    );
  if (error instanceof Error && 'syscall' in error && error.syscall !== 'read')
    return notWritten(target, error, 'could not be unpacked whole');
  if (!(error instanceof Error) || code === undefined) return error;
  return new DataError(
    `${archive} is no whole tar archive (${error.message}): nothing was unpacked`,
    { file: archive },
    { cause: error },
  );
}

/** Where the system does not make a folder, tar looks for it, and tells only of what it did not see there. */
function unmadeFolder(error: Error): string | undefined {
  if (!('syscall' in error && error.syscall === 'lstat')) return undefined;
  return 'path' in error && typeof error.path === 'string' ? error.path : undefined;
}

async function requireDataset(folder: string, { archive, name }: UnpackOptions): Promise<void> {
  const description = join(name, 'dataset.json');
  await stat(join(folder, 'dataset.json')).catch((cause: unknown) => {
    throw new DataError(
      `${archive} holds no ${description}, so that it is no archive of this task: nothing was unpacked`,
      { file: archive, expected: description },
      { cause },
    );
  });
}

async function countFiles(folder: string): Promise<Unpacked> {
  let [files, bytes] = [0, 0];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += (await stat(join(entry.parentPath, entry.name))).size;
    files++;
  }
  return { files, bytes };
}
