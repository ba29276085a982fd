import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, WorkError } from './errors.js';
import { clearLeftovers, partialName } from './leftovers.js';
import { attempt, attemptSync, notWritten } from './not-written.js';

/*
 * Every file that this program writes is written here (a test holds the sources to it). A system call may take
 * fewer bytes than it was given and call that success: it is called again, so that all bytes are on disk or
 * there is an error. A file is made under a name of its own beside its place, brought to the disk, and only
 * then renamed; its folder is brought to the disk as well. So a name holds the old file, or the new one whole.
 */

/** What a file consists of, in order. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file whole or not at all; one that is there already keeps its rights. A link is followed.
 * @throws WorkError in one sentence where the system takes not all of it; errors of `content` as they are
 */
export async function writeWholeFile(
  file: string,
  content: FileContent,
  { mode }: { readonly mode?: number } = {},
): Promise<void> {
  const { target, partial, rights } = beginFile(file);
  const handle = await attempt(file, () => open(partial, 'wx', rights ?? mode));
  try {
    try {
      for await (const part of partsOf(content)) await attempt(file, () => writeAll(handle, part));
      await attempt(file, async () => {
        if (rights !== undefined) await handle.chmod(rights);
        await handle.sync();
      });
    } finally {
      await attempt(file, () => handle.close()); // a server may say only now that its disk is full
    }
    await attempt(file, () => rename(partial, target));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await attempt(file, async () => syncFolder(dirname(target)));
}

/** As `writeWholeFile`, of parts that are made where nothing may wait. Throws as it does. */
export function writeWholeFileSync(file: string, parts: Iterable<Uint8Array>): void {
  const { target, partial, rights } = beginFile(file);
  const descriptor = attemptSync(file, () => openSync(partial, 'wx', rights));
  try {
    try {
      for (const part of parts) attemptSync(file, () => writeAllSync(descriptor, part));
      attemptSync(file, () => {
        if (rights !== undefined) fchmodSync(descriptor, rights);
        fsyncSync(descriptor);
      });
    } finally {
      attemptSync(file, () => closeSync(descriptor));
    }
    attemptSync(file, () => renameSync(partial, target));
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  attemptSync(file, () => syncFolder(dirname(target)));
}

/**
 * Makes a folder whole or not at all: `fill` writes into another one beside it, which takes the name when all
 * of it is on disk. Nothing may stand under the name.
 * @throws WorkError where the system refuses; errors of `fill` as they are
 */
export async function writeWholeFolder(
  folder: string,
  fill: (partial: string) => Promise<void>,
): Promise<void> {
  clearLeftovers(dirname(folder));
  const partial = partialName(folder);
  try {
    await attempt(folder, () => mkdir(partial));
    await fill(partial);
    await moveWholeFolder(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** Brings a folder with all that is in it to the disk, and then gives it another name. Throws WorkError. */
export async function moveWholeFolder(from: string, to: string): Promise<void> {
  await attempt(to, async () => {
    for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) await syncFile(path);
      else if (entry.isDirectory()) syncFolder(path);
    }
    syncFolder(from);
    await rename(from, to);
    syncFolder(dirname(to));
  });
}

/** Gives a file that is whole another name, at no moment missing. Throws WorkError. */
export async function moveWholeFile(from: string, to: string): Promise<void> {
  await attempt(to, async () => {
    await syncFile(from);
    await rename(from, to);
    syncFolder(dirname(to));
  });
}

/** Makes a folder, and those that it lies in, where they are missing. Throws WorkError. */
export const makeFolder = async (folder: string): Promise<void> => makeFolderSync(folder);

/**
 * As `makeFolder`, where nothing may wait. Node's own for several folders says ENOENT of a disk that is read-only,
 * and does not end where the system says so of a folder that is there, as in `/proc`. Throws WorkError.
 */
export function makeFolderSync(folder: string): void {
  const missing: string[] = [];
  for (let path = folder; !existsSync(path) && missing[0] !== path; path = dirname(path))
    missing.unshift(path);
  try {
    for (const path of missing) makeOne(path);
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error('a file'), { code: 'EEXIST' });
  } catch (cause) {
    throw notWritten(folder, cause, 'could not be made');
  }
}

/** Another process may have made it meanwhile. */
function makeOne(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') throw cause;
  }
}

/** Waits until what was written to a file is on the disk. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** As `syncFile`, where nothing may wait. Throws WorkError. */
export function syncFileNow(file: string): void {
  attemptSync(file, () => {
    const descriptor = openSync(file, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/**
 * Adds to the end of a file, which is made where it is missing, all of `text` or nothing of it. One process at
 * a time may add to a file.
 * @throws WorkError where the system takes not all of it
 */
export function appendWhole(file: string, text: string): void {
  attemptSync(file, () => {
    const descriptor = openSync(file, 'a');
    try {
      const { size } = fstatSync(descriptor);
      try {
        writeAllSync(descriptor, Buffer.from(text, 'utf8'));
      } catch (error) {
        ftruncateSync(descriptor, size);
        throw error;
      }
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Takes away what a file has beyond its first `length` bytes, which stay where they are. Throws WorkError. */
export function cutFile(file: string, length: number): void {
  attemptSync(file, () => {
    const descriptor = openSync(file, 'r+');
    try {
      ftruncateSync(descriptor, length);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** A file that grows at its end over several runs: it stands under its own name, so its owner checks it. */
export interface GrowingFile {
  /** Adds all of the bytes. */
  add(bytes: Uint8Array): Promise<void>;
  /** Brings what was added to the disk. */
  close(): Promise<void>;
}

/** Opens a growing file at byte `from`; what was behind it goes. Throws WorkError. */
export async function openGrowingFile(file: string, from: number): Promise<GrowingFile> {
  const handle = await attempt(file, () => open(file, from === 0 ? 'w' : 'a'));
  try {
    await attempt(file, () => handle.truncate(from));
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    add: (bytes) => attempt(file, () => writeAll(handle, bytes)),
    close: () =>
      attempt(file, async () => {
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
      }),
  };
}

/** Room on disk for one process, which nobody finds under a name of its own. */
export interface ScratchFile {
  /** To read from. */
  readonly descriptor: number;
  write(bytes: Uint8Array, position: number): void;
  remove(): void;
}

/** Makes a file to put things aside in, beside `file`. Throws WorkError. */
export function openScratchFile(file: string): ScratchFile {
  clearLeftovers(dirname(file));
  const partial = partialName(file);
  const descriptor = attemptSync(file, () => {
    mkdirSync(dirname(partial), { recursive: true });
    return openSync(partial, 'wx+');
  });
  return {
    descriptor,
    write: (bytes, position) => attemptSync(partial, () => writeAllSync(descriptor, bytes, position)),
    remove: () => {
      closeSync(descriptor);
      rmSync(partial, { force: true });
    },
  };
}

/** Writes to standard output. What it was sent to may be a file, on a disk that fills up. Throws WorkError. */
export function writeOutput(text: string): void {
  if (!fstatSync(process.stdout.fd).isFile()) process.stdout.write(text);
  else attemptSync('standard output', () => writeAllSync(process.stdout.fd, Buffer.from(text, 'utf8')));
}

/**
 * Writes a line on an error output at once, from any thread, as the last word of a process that is about to end. One that
 * leads nowhere takes none.
 * @param descriptor of the output: 2, or another name of it
 */
export function writeLastWord(descriptor: number, line: string): void {
  try {
    writeAllSync(descriptor, Buffer.from(`${line}\n`, 'utf8'));
  } catch {
    // nobody listens any more
  }
}

function beginFile(file: string): { target: string; partial: string; rights: number | undefined } {
  const target = linkedTo(file);
  clearLeftovers(dirname(target));
  const there = attemptSync(file, () => statSync(target, { throwIfNoEntry: false }));
  if (there?.isDirectory()) {
    throw new WorkError(`${file} is a folder, but a file is to be written there: choose another name`, {
      file,
    });
  }
  return { target, partial: partialName(target), rights: there && there.mode & 0o7777 };
}

function linkedTo(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file; // not there yet
  }
}

async function* partsOf(content: FileContent): AsyncGenerator<Uint8Array, void> {
  if (typeof content === 'string') yield Buffer.from(content, 'utf8');
  else if (content instanceof Uint8Array) yield content;
  else yield* content;
}

/** Linux takes 2 GiB at a time at most. */
const mostAtOnce = 2 ** 30;

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(mostAtOnce, bytes.length - done));
    if (bytesWritten === 0) throw new Error('the system took no byte');
    done += bytesWritten;
  }
}

/** @param position in the file; absent: where it stands */
function writeAllSync(descriptor: number, bytes: Uint8Array, position?: number): void {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done;
    const count = writeSync(descriptor, bytes, done, Math.min(mostAtOnce, bytes.length - done), at);
    if (count === 0) throw new Error('the system took no byte');
    done += count;
  }
}

/** Some file systems have nothing to bring to the disk of a folder, and Windows opens none. */
const noSync = new Set(['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM', 'ENOSYS']);

function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (!noSync.has(errorCode(error) ?? '')) throw error;
  }
}

/**
 * Sets a value of the kernel, such as `/proc/self/oom_score_adj`: no file of a disk, so that nothing of it can be
 * half written. Throws what the kernel says where it does not take it.
 */
export function setKernelValue(path: `/proc/${string}`, value: string): void {
  writeFileSync(path, value);
}
