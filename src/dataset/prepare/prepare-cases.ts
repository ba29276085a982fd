import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, InterruptedError, WorkError } from '../../errors.js';
import { jsonOrUndefined } from '../../json.js';
import { readTextIfAny } from '../../text-file.js';
import { mapInLanes, openWorkerPool } from '../../threads/index.js';
import type { SourceCase } from '../index/listed-case.js';
import {
  openedCase,
  type PreparedCase,
  preparedCaseSchema,
  type SkippedCase,
} from '../index/prepared-index.js';
import { settingsFingerprint, sourceUnchanged } from './fingerprint.js';
import { lossesOf } from './label-survival.js';
import { caseRecordFile, type PrepareCaseTask, placeOf } from './prepare-case.js';
import { type PreparePlan, planPreparation } from './prepare-plan.js';
import type { PrepareCaseOutcome } from './prepare-worker.js';

/** What became of one case. */
export interface PrepareProgress {
  readonly done: number;
  readonly total: number;
  readonly id: string;
  readonly state: 'prepared' | 'unchanged' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
  /** What of its label was lost on the way, in sentences. */
  readonly lost?: readonly string[];
}

/** Where and how cases are prepared. */
export interface PrepareCasesOptions {
  readonly out: string;
  /** Threads; absent: as many as cores and memory allow. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal;
  /** Told before the first case is made. */
  readonly onPlan?: (plan: PreparePlan) => void;
  /** After each case. */
  readonly onProgress?: (progress: PrepareProgress) => void;
}

/** In the order of the tasks, whichever ended first. */
export interface Outcomes {
  readonly cases: PreparedCase[];
  readonly skipped: SkippedCase[];
  /** How many of the cases were left as they were. */
  readonly unchanged: number;
}

/**
 * Makes in worker threads the cases that are not there yet or not from these sources and settings.
 * @throws InterruptedError after `signal`, WorkError when the disk is full or too small
 */
export async function prepareCases(
  tasks: readonly PrepareCaseTask[],
  options: PrepareCasesOptions,
): Promise<Outcomes> {
  const { out, signal, onPlan, onProgress } = options;
  const cases = new Map<PrepareCaseTask, PreparedCase>();
  const skipped = new Map<PrepareCaseTask, SkippedCase>();
  let done = 0;
  const report = (
    { source, classes }: PrepareCaseTask,
    state: PrepareProgress['state'],
    { reason, record }: { readonly reason?: string; readonly record?: PreparedCase },
  ) => {
    onProgress?.({
      done: ++done,
      total: tasks.length,
      id: source.id,
      state,
      ...(reason !== undefined && { reason }),
      ...(record?.labelSurvival && { lost: lossesOf(record.labelSurvival, classes) }),
    });
  };
  const make = async (pending: readonly PrepareCaseTask[]) => {
    const plan = await planPreparation(pending, out, options.workers);
    onPlan?.(plan);
    const pool = openWorkerPool<PrepareCaseTask, PrepareCaseOutcome>(import.meta.url, './prepare-worker.js', {
      minThreads: 0,
      maxThreads: plan.workers,
      idleTimeout: 10_000,
      signal,
    });
    try {
      await mapInLanes(pending, plan.workers, async (task) => {
        signal?.throwIfAborted();
        const outcome = await pool.run(task);
        if (outcome.kind === 'failed')
          throw new WorkError(outcome.reason, outcome.file === undefined ? {} : { file: outcome.file });
        if (outcome.kind === 'prepared') cases.set(task, outcome.record);
        else skipped.set(task, skippedCase(task, outcome));
        report(
          task,
          outcome.kind === 'prepared' ? 'prepared' : 'skipped',
          outcome.kind === 'unusable' ? { reason: outcome.reason } : { record: outcome.record },
        );
      });
    } finally {
      await pool.close();
    }
  };
  let unchanged = 0;
  try {
    const records = await mapInLanes(tasks, recordsAtOnce, async (task) => {
      signal?.throwIfAborted();
      const known = await unchangedRecord(task);
      if (known) {
        cases.set(task, asListed(known, task.source));
        unchanged++;
        report(task, 'unchanged', {});
      }
      return known;
    });
    const pending = tasks.filter((_, i) => !records[i]);
    if (pending.length > 0) await make(pending);
  } catch (cause) {
    if (signal?.aborted) {
      throw new InterruptedError(
        `prepare was interrupted after ${done} of ${tasks.length} cases: run the same command again to continue`,
        {},
        { cause },
      );
    }
    throw workError(cause, out);
  }
  const inOrder = <T>(of: ReadonlyMap<PrepareCaseTask, T>) => tasks.flatMap((task) => of.get(task) ?? []);
  return { cases: inOrder(cases), skipped: inOrder(skipped), unchanged };
}

function skippedCase(
  { source }: PrepareCaseTask,
  { reason, file }: Extract<PrepareCaseOutcome, { kind: 'unusable' }>,
): SkippedCase {
  return { id: source.id, dataset: source.dataset, reason, ...(file !== undefined && { file }) };
}

/** The record of a case with what the index alone decides: its split, group and fold. */
export function asListed({ fold: _, ...record }: PreparedCase, source: SourceCase): PreparedCase {
  const { fold } = source;
  return { ...record, ...placeOf(source), ...(fold !== undefined && { fold }) };
}

/** A data set on a server answers each question late, but many at once. */
const recordsAtOnce = 16;

/**
 * The record of an earlier run, if the same sources and
 * settings would give the same case and its files are there.
 */
export async function unchangedRecord({
  out,
  source,
  preprocessing,
  classes,
  ignore,
}: PrepareCaseTask): Promise<PreparedCase | undefined> {
  const recordFile = join(out, caseRecordFile(source.id));
  const text = await readTextIfAny(recordFile).catch(() => undefined);
  if (text === undefined) return undefined;
  const { data: stored } = preparedCaseSchema.safeParse(jsonOrUndefined(text));
  const record = stored && openedCase(stored, out);
  if (record?.fingerprint.settings !== settingsFingerprint(preprocessing, { classes, ignore }, source))
    return undefined;
  for (const file of [record.image, record.label]) {
    if (file !== undefined && !(await stat(join(out, file)).catch(() => undefined))) return undefined;
  }
  for (const known of record.fingerprint.sources) if (!(await sourceUnchanged(known))) return undefined;
  return record;
}

function workError(cause: unknown, out: string): Error {
  if (errorCode(cause) === 'ENOSPC') {
    const remedy = 'free space or choose another --out, then run the same command again';
    return new WorkError(`the disk of ${out} is full: ${remedy}`, { file: out }, { cause });
  }
  return cause instanceof Error ? cause : new WorkError(String(cause));
}
