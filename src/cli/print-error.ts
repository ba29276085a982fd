import { errorCode, HybridMimError, InterruptedError } from '../errors.js';
import { plainLine, plainText } from '../plain-text.js';

/**
 * Prints an error as one sentence on standard error, with its stack only when asked for, and returns what the
 * process ends with. An error that is none of ours is a fault of this program or of the system, and says so.
 */
export function printError(
  error: unknown,
  { verbose, interrupted }: { readonly verbose: boolean; readonly interrupted: boolean },
): number {
  const known = asKnown(error, interrupted);
  if (known) {
    process.stderr.write(`hybridmim: ${known.message}\n`);
    if (verbose) process.stderr.write(`${plainText(stackOf(error))}\n`);
    return known.exitCode;
  }
  const message = plainLine(error instanceof Error ? error.message : String(error));
  // Errors of a thread keep their message alone.
  const code = errorCode(error) ?? /^(EMFILE|ENFILE|ENOMEM|ENOSPC)(?=: )/.exec(message)?.[0];
  const system = message.includes('uv_cwd')
    ? 'the folder in which this command runs is gone: change to another one'
    : code && systemSentence(code, message);
  const unexpected = `unexpected failure: ${message} (run again with --verbose for the place in the code)`;
  process.stderr.write(`hybridmim: ${system ?? unexpected}\n`);
  if (verbose) process.stderr.write(`${plainText(stackOf(error))}\n`);
  return 1;
}

function asKnown(error: unknown, interrupted: boolean): HybridMimError | undefined {
  if (error instanceof HybridMimError) return error;
  if (interrupted && error instanceof Error && error.name === 'AbortError')
    return new InterruptedError(
      'interrupted: what was finished is kept; the same command goes on from there',
    );
  return undefined;
}

function systemSentence(code: string, message: string): string | undefined {
  if (code === 'ENOSPC')
    return `the disk is full (${message}): free some space and run the same command again`;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `a file may not be written or read (${message}): check the folder's permissions`;
  if (code === 'EDQUOT')
    return `your share of the disk is full (${message}): free some space and run the same command again`;
  if (code === 'EMFILE' || code === 'ENFILE')
    return `too many files are open (${message}): raise the limit with "ulimit -n 4096"`;
  if (code === 'ENAMETOOLONG')
    return `a name is longer than the system allows (${message}): choose a shorter one`;
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'ELOOP')
    return `a path leads to something else than expected (${message}): check it`;
  if (code === 'EIO') return `the disk answered with an error (${message}): check the disk`;
  if (code === 'ENOMEM')
    return `the system has no more memory (${message}): end other programs, or use fewer --workers`;
  return undefined;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.stack ?? error.message}${error.cause ? `\ncaused by ${stackOf(error.cause)}` : ''}`;
}
