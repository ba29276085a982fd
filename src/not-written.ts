import { errorCode, WorkError } from './errors.js';

/** Waits for what writes `file`. Throws WorkError in one sentence where the system refuses. */
export async function attempt<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw notWritten(file, cause);
  }
}

/** As `attempt`, where nothing may wait. */
export function attemptSync<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw notWritten(file, cause);
  }
}

/** An error of the system, as a sentence that says of which file and what to do. */
export function notWritten(file: string, cause: unknown, what = 'could not be written whole'): WorkError {
  const code = errorCode(cause);
  const why = code ?? (cause instanceof Error ? cause.message : String(cause));
  return new WorkError(`${file} ${what} (${why}): ${remedyOf(code)}`, { file }, { cause });
}

function remedyOf(code: string | undefined): string {
  switch (code) {
    case 'ENOSPC':
      return 'the disk is full; free some space and run the same command again';
    case 'EDQUOT':
      return 'your share of the disk is full; free some space and run the same command again';
    case 'EFBIG':
      return 'the file is larger than the system allows; raise the limit with "ulimit -f unlimited"';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return "it may not be written; check the folder's permissions or choose another one";
    case 'ENOENT':
    case 'ENOTDIR':
      return 'its folder is not there; make it or choose another one';
    case 'ENAMETOOLONG':
      return 'its name is longer than the system allows; choose a shorter one';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open; raise the limit with "ulimit -n 4096"';
    case 'ENOTEMPTY':
    case 'EEXIST':
      return 'something stands there already; choose another name';
    default:
      return 'check the disk, then run the same command again';
  }
}
