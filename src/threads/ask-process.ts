import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InterruptedError, WorkError } from '../errors.js';

interface AskOptions {
  readonly signal: AbortSignal | undefined;
  /** Sentence for whoever interrupts. */
  readonly interrupted: string;
  /**
   * The most that the process may hold; it is ended as soon as it holds more, before the system has to end
   * anything. Absent: any. Where the system does not say what a process holds, nothing is ended.
   */
  readonly memoryBytes?: number | undefined;
}

/** What `found` is in the facts of the error when a process was ended for its memory. */
export const endedForMemory = 'memory';

/** Milliseconds between looks at the memory of a process, which grows by less than 0.2 GiB meanwhile. */
const lookEveryMs = 20;

/**
 * The answer of a process that does nothing else: its memory is its own, and where memory runs out, it ends
 * alone.
 * @param entry URL of the compiled file that the process runs; it sends one message for the one that it gets
 * @throws WorkError when the process ends without an answer, whose fact `found` is its code or signal, or
 * `endedForMemory`; InterruptedError after `signal`
 */
export function askProcess<Answer>(
  entry: string,
  question: object,
  { signal, interrupted, memoryBytes }: AskOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new InterruptedError(interrupted));
    const child = fork(fileURLToPath(entry), { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    const stop = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    let exceeded = false;
    const watching =
      memoryBytes === undefined
        ? undefined
        : setInterval(() => {
            if ((residentBytes(child.pid) ?? 0) <= memoryBytes) return;
            exceeded = true;
            stop();
          }, lookEveryMs);
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = `${said}${text}`.slice(-2000);
    });
    child.once('message', (message) => resolve(message as Answer));
    child.once('error', reject);
    child.once('exit', (code, killed) => {
      clearInterval(watching);
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted) return reject(new InterruptedError(interrupted));
      if (exceeded)
        return reject(
          new WorkError(`its process held more than the ${memoryBytes} bytes that it may`, {
            found: endedForMemory,
            expected: memoryBytes,
          }),
        );
      reject(
        new WorkError(`its process ended with ${killed ?? code}${said ? `: ${said.trim()}` : ''}`, {
          found: killed ?? code,
        }),
      );
    });
    child.send(question);
  });
}

/** Bytes that a process holds in memory; undefined when it has ended, or the system does not say. */
function residentBytes(pid: number | undefined): number | undefined {
  try {
    const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
