/** Threads that make crops: a number of them, or `auto`: as many as the steps need, as both are measured. */
export type Workers = number | 'auto';

/** Threads that begin: those of `auto` come when they are needed. */
export const workersAtFirst = (workers: Workers): number => (workers === 'auto' ? 1 : workers);

/** What there is for threads that make crops. */
export interface WorkerLimits {
  /** That the process may use. */
  readonly cores: number;
  /** That share the cores and the memory, this process included. */
  readonly processes: number;
  readonly freeBytes: number;
  /** Of a thread: itself, what it works in, and the batch that waits for its step. */
  readonly bytesOfWorker: number;
}

/** A thread without its crops: V8 and the modules that it loads; 40 MB were seen. */
export const threadBytes = 64 * 2 ** 20;

/** Of a case in the list that each thread has; 450 to 600 were seen, with no class and with 13. */
export const bytesOfCase = 600;

/** The most threads of `auto`: a core is left to the step, and half of the free memory to what comes. */
export function mostWorkers({ cores, processes, freeBytes, bytesOfWorker }: WorkerLimits): {
  readonly most: number;
  readonly because: string;
} {
  const byCores = Math.max(1, Math.floor(cores / processes) - 1);
  const byMemory = Math.max(1, Math.floor(freeBytes / 2 / processes / bytesOfWorker));
  return byMemory < byCores
    ? { most: byMemory, because: 'the free memory allows no more' }
    : { most: byCores, because: 'there are no more cores' };
}

/** Batches whose times decide, and those before them that do not: of a first step that is still compiled. */
const [WINDOW, PASSED_OVER] = [16, 4];

/** Crops are made by so much more than is used: their times differ. */
const MARGIN = 1.25;

/** A number of threads, and the sentence that says why. */
export interface WorkerChoice {
  readonly workers: number;
  readonly reason: string;
}

/**
 * Watches how long a batch takes to make and how long its step lasts, and says when more threads are needed:
 * one makes a batch in `makeSeconds`, so that `makeSeconds / stepSeconds` of them keep up. Never asks for fewer:
 * a thread that waits costs nothing.
 * @returns a function of both times of each batch, in its order; it returns a choice where that changes
 */
export function workerChooser({
  most,
  because,
}: ReturnType<typeof mostWorkers>): (makeSeconds: number, stepSeconds: number) => WorkerChoice | undefined {
  const made: number[] = [];
  const stepped: number[] = [];
  let [seen, workers] = [0, 1];
  return (makeSeconds, stepSeconds) => {
    if (++seen <= PASSED_OVER) return undefined;
    made.push(makeSeconds);
    stepped.push(stepSeconds);
    if (made.length < WINDOW) return undefined;
    const make = meanWithoutLargest(made);
    const step = meanWithoutLargest(stepped);
    made.splice(0);
    stepped.splice(0);
    const needed = Math.ceil((MARGIN * make) / Math.max(step, 1e-6));
    const wanted = Math.min(needed, most);
    if (wanted <= workers) return undefined;
    workers = wanted;
    const times = `a batch takes ${seconds(make)} to make and ${seconds(step)} to learn from`;
    const limited = needed > most ? `, and ${needed} would keep up, but ${because}` : '';
    return { workers, reason: `${workers} threads make crops from here on: ${times}${limited}` };
  };
}

/** A validation, or a file that was slow once, is no step and no crop. */
function meanWithoutLargest(values: readonly number[]): number {
  return (values.reduce((sum, value) => sum + value, 0) - Math.max(...values)) / (values.length - 1);
}

const seconds = (value: number): string =>
  value < 1 ? `${(1000 * value).toFixed(1)} ms` : `${value.toFixed(1)} s`;
