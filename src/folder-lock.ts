import { existsSync, realpathSync } from 'node:fs';
import { rmdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { check, lock } from 'proper-lockfile';
import { errorCode, WorkError } from './errors.js';

/** Milliseconds after which the lock of a process that was killed counts no more; who lives renews it in half of them. */
const usualStaleMs = 10_000;

/**
 * Keeps other processes from writing to a folder until it is given back. A killed process's lock goes stale
 * after 10 s: taking the folder again waits a little longer than that. So does a lock with a date to come, as where
 * the clock was set back since; one that is renewed meanwhile is of a process that lives.
 * @param path    of the folder, or of a part of it that need not exist
 * @param busy    the sentence for when another process has it
 * @param staleMs when a lock that nobody renews counts no more, ms; 2 s or more
 * @returns what gives it back
 * @throws WorkError with that sentence; later, when the folder was removed or taken over, out of any call, as
 *   an uncaught one
 */
export async function lockFolder(
  path: string,
  busy: string,
  staleMs = usualStaleMs,
): Promise<() => Promise<void>> {
  await forgetLockToCome(path, staleMs);
  const options = {
    stale: staleMs,
    retries: { retries: staleMs / 1000 + 2, factor: 1, minTimeout: 1000, maxTimeout: 1000 },
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
    const remedy =
      code === 'ENOTDIR' || code === 'ENOTEMPTY'
        ? `${path}.lock is none of this program's locks: move it away`
        : "check the space on its disk and the folder's permissions";
    throw new WorkError(
      `${path} could not be locked for writing (${code}): ${remedy}`,
      { file: path },
      { cause },
    );
  });
}

/** Whether a process keeps a folder, as far as its lock tells: one that was killed seems to for another 10 s. */
export const isLocked = async (path: string): Promise<boolean> =>
  (await check(path, { stale: usualStaleMs, realpath: existsSync(path) })) &&
  (await dateToCome(lockOf(path), usualStaleMs)) === undefined;

async function forgetLockToCome(path: string, staleMs: number): Promise<void> {
  const file = lockOf(path);
  const date = await dateToCome(file, staleMs);
  if (date === undefined) return;
  await wait(staleMs);
  if ((await dateToCome(file, staleMs)) === date) await rmdir(file).catch(() => {});
}

/** The date of a lock, ms, where that is more than `staleMs` from now. */
async function dateToCome(file: string, staleMs: number): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found && found.mtimeMs > Date.now() + staleMs ? found.mtimeMs : undefined;
}

const lockOf = (path: string): string => `${existsSync(path) ? realpathSync(path) : resolve(path)}.lock`;
