import { Piscina } from 'piscina';
import { workerEntry } from '../worker-entry.js';

export interface WorkerPoolOptions {
  readonly minThreads: number;
  readonly maxThreads: number;
  /** ms after which a thread without a task ends; absent: at once when there are more than `minThreads`. */
  readonly idleTimeout?: number;
  /** What every thread finds in `workerData`. */
  readonly workerData?: unknown;
  /** Gives running tasks up. */
  readonly signal?: AbortSignal | undefined;
}

export interface WorkerPool<Task, Outcome> {
  run(task: Task): Promise<Outcome>;
  /** Ends the threads at once; tasks that are not finished are rejected. */
  close(): Promise<void>;
}

/**
 * Worker threads that may be closed or interrupted while they work. An answer that was on its way when its
 * task was given up is nobody's: piscina emits it as an error of the pool, which would end the process.
 * @param moduleUrl `import.meta.url` of the caller
 * @param relative the worker file beside it: './x-worker.js'
 */
export function openWorkerPool<Task, Outcome>(
  moduleUrl: string,
  relative: string,
  options: WorkerPoolOptions,
): WorkerPool<Task, Outcome> {
  const { signal, ...threads } = options;
  const pool = new Piscina<Task, Outcome>({
    filename: workerEntry(moduleUrl, relative),
    execArgv: importedOnly(),
    ...threads,
  });
  let closing = false;
  pool.on('error', (error) => {
    if (!closing && !signal?.aborted) throw error;
  });
  return {
    run: (task) => pool.run(task, { ...(signal && { signal }) }),
    close: async () => {
      closing = true;
      await pool.destroy();
    },
  };
}

/**
 * Flags of a thread in which ES modules can only be imported. Piscina tries to require the worker file first,
 * and Node.js 20 and 22 end the whole process when a thread is ended at a certain moment of requiring an ES
 * module.
 */
function importedOnly(): string[] {
  const flag = '--no-experimental-require-module';
  return process.allowedNodeEnvironmentFlags.has(flag) ? [flag] : []; // older ones require none
}
