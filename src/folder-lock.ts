import { existsSync } from 'node:fs';
import { check, lock } from 'proper-lockfile';
import { errorCode, WorkError } from './errors.js';

/** Milliseconds after which the lock of a process that was killed counts no more. */
const staleMs = 10_000;

/**
 * Keeps other processes from writing to a folder until it is given back. A killed process's lock goes stale
 * after 10 s: taking the folder again waits a little longer than that.
 * @param path    of the folder, or of a part of it that need not exist
 * @param busy    the sentence for when another process has it
 * @returns what gives it back
 * @throws WorkError with that sentence; later, when the folder was removed or taken over, out of any call, as
 *   an uncaught one
 */
export async function lockFolder(path: string, busy: string): Promise<() => Promise<void>> {
  const options = {
    stale: staleMs,
    retries: { retries: 12, factor: 1, minTimeout: 1000, maxTimeout: 1000 },
    realpath: existsSync(path), // one lock for a folder and a link to it
    onCompromised: (cause: Error) => {
      throw new WorkError(
        `${path} was removed, or another process took it over, while this one was writing to it: see who did, and run the command again`,
        { file: path },
        { cause },
      );
    },
  };
  return lock(path, options).catch((cause: unknown) => {
    const code = errorCode(cause);
    if (code === 'ELOCKED') throw new WorkError(busy, { file: path }, { cause });
    throw new WorkError(
      `${path} could not be locked for writing (${code}): check the space on its disk and the folder's permissions`,
      { file: path },
      { cause },
    );
  });
}

/** Whether a process keeps a folder, as far as its lock tells: one that was killed seems to for another 10 s. */
export const isLocked = (path: string): Promise<boolean> =>
  check(path, { stale: staleMs, realpath: existsSync(path) });
