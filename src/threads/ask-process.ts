import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InterruptedError, WorkError } from '../errors.js';

interface AskOptions {
  readonly signal: AbortSignal | undefined;
  /** Sentence for whoever interrupts. */
  readonly interrupted: string;
}

/**
 * The answer of a process that does nothing else: its memory is its own, and where memory runs out, it ends
 * alone.
 * @param entry URL of the compiled file that the process runs; it sends one message for the one that it gets
 * @throws WorkError when the process ends without an answer, whose fact `found` is its code or signal;
 * InterruptedError after `signal`
 */
export function askProcess<Answer>(
  entry: string,
  question: object,
  { signal, interrupted }: AskOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new InterruptedError(interrupted));
    const child = fork(fileURLToPath(entry), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    const stop = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = `${said}${text}`.slice(-2000);
    });
    child.once('message', (message) => resolve(message as Answer));
    child.once('error', reject);
    child.once('exit', (code, killed) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) return reject(new InterruptedError(interrupted));
      reject(
        new WorkError(`its process ended with ${killed ?? code}${said ? `: ${said.trim()}` : ''}`, {
          found: killed ?? code,
        }),
      );
    });
    child.send(question);
  });
}
