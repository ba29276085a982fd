import { availableParallelism } from 'node:os';
import { InterruptedError } from '../../errors.js';
import { mapInLanes, openWorkerPool } from '../../threads/index.js';
import type { SurveyedScan, SurveyTask, surveyOrProblem } from './survey-case.js';

/** A scan that cannot be used, and why. */
export interface UnusableScan {
  readonly id: string;
  readonly file: string;
  readonly problem: string;
}

export interface SurveyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onScan?: ((id: string, done: number, total: number) => void) | undefined;
}

/**
 * Looks at scans in worker threads, each of which holds some slices of one.
 * @returns in the order of the tasks; those that cannot be read with the reason
 * @throws InterruptedError after `signal`
 */
export async function surveyScans(
  tasks: readonly SurveyTask[],
  { signal, onScan }: SurveyOptions = {},
): Promise<{ readonly scans: SurveyedScan[]; readonly unusable: UnusableScan[] }> {
  const threads = Math.max(1, Math.min(availableParallelism(), tasks.length));
  const pool = openWorkerPool<SurveyTask, Awaited<ReturnType<typeof surveyOrProblem>>>(
    import.meta.url,
    './survey-worker.js',
    { minThreads: 0, maxThreads: threads, idleTimeout: 10_000, signal },
  );
  let done = 0;
  try {
    const answers = await mapInLanes(tasks, threads, async (task) => {
      signal?.throwIfAborted();
      const answer = await pool.run(task);
      onScan?.(task.id, ++done, tasks.length);
      return answer;
    });
    return {
      scans: answers.flatMap((answer) => ('problem' in answer ? [] : [answer])),
      unusable: answers.flatMap((answer) => ('problem' in answer ? [answer] : [])),
    };
  } catch (cause) {
    if (!signal?.aborted) throw cause;
    throw new InterruptedError(
      `interrupted after ${done} of ${tasks.length} scans: nothing was written`,
      {},
      { cause },
    );
  } finally {
    await pool.close();
  }
}
