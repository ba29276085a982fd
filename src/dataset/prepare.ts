import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { lock } from 'proper-lockfile';
import writeFileAtomic from 'write-file-atomic';
import { InterruptedError, WorkError } from '../errors.js';
import { jsonOrUndefined } from '../json.js';
import { type DatasetFile, readDatasetFile } from './dataset-file.js';
import { settingsFingerprint, sourceUnchanged } from './fingerprint.js';
import { caseRecordFile, type PrepareCaseTask } from './prepare-case.js';
import type { PrepareCaseOutcome } from './prepare-worker.js';
import {
  indexFileName,
  type PreparedCase,
  type PreparedIndex,
  preparedCaseSchema,
  readPreparedIndexIfAny,
  type SkippedCase,
} from './prepared-index.js';
import { indexDatasets, type SourceDataset } from './source-case.js';
import { summariseDataset } from './summary.js';
import { openWorkerPool } from './worker-pool.js';

export interface PrepareProgress {
  readonly done: number;
  readonly total: number;
  readonly id: string;
  readonly state: 'prepared' | 'unchanged' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

export interface PrepareOptions {
  /** The dataset index, see `datasets.example.json`. */
  readonly datasetsFile: string;
  readonly out: string;
  /** Names of datasets; absent: all. The others stay in the prepared index as they are. */
  readonly only?: readonly string[];
  /** Threads; each holds one case in memory. */
  readonly workers: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PrepareResult {
  readonly indexFile: string;
  readonly index: PreparedIndex;
  readonly prepared: number;
  /** Left as they were, because neither source nor settings changed. */
  readonly unchanged: number;
  /** Cases of this call that cannot be used, with the reason. */
  readonly skipped: readonly SkippedCase[];
  /** What the layouts left out or found odd, in sentences that begin with the dataset's name. */
  readonly notes: readonly string[];
  /** What the command ends with: 3 when a case was skipped, else 0. */
  readonly exitCode: 0 | 3;
}

/**
 * Prepares the cases of a dataset index in worker threads and writes `index.json`. A second call redoes what changed and
 * nothing else; an interrupted call continues. A case that cannot be used is skipped and listed with its reason.
 * @throws UsageError for a wrong index, DataError when a dataset as a whole is missing, InterruptedError after `signal`,
 *   WorkError when the folder is in use or the disk full
 */
export async function prepareDatasets(options: PrepareOptions): Promise<PrepareResult> {
  const out = resolve(options.out);
  const file = await readDatasetFile(options.datasetsFile);
  const datasets = await indexDatasets(file, options.only);
  const release = await lockFolder(out);
  try {
    await removePartialFiles(out, datasets);
    const outcomes = await prepareCases(datasets, { ...options, out });
    const index = mergeIndex(await previousIndex(out, file, datasets), file, datasets, outcomes);
    const indexFile = join(out, indexFileName);
    await writeFileAtomic(indexFile, `${JSON.stringify(index, null, 1)}\n`);
    const { cases, unchanged, skipped } = outcomes;
    const notes = datasets.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`));
    return { indexFile, index, prepared: cases.length - unchanged, unchanged, skipped, notes, exitCode: skipped.length > 0 ? 3 : 0 };
  } finally {
    await release();
  }
}

interface Outcomes {
  readonly cases: PreparedCase[];
  readonly skipped: SkippedCase[];
  readonly unchanged: number;
}

async function prepareCases(datasets: readonly SourceDataset[], { out, workers, signal, onProgress }: PrepareOptions): Promise<Outcomes> {
  const tasks = datasets.flatMap(({ cases, preprocessing, classes }) =>
    cases.map((source): PrepareCaseTask => ({ out, source, preprocessing, classes })),
  );
  const cases: (PreparedCase | undefined)[] = tasks.map(() => undefined); // in the index's order, whichever ends first
  const skipped: (SkippedCase | undefined)[] = tasks.map(() => undefined);
  let done = 0;
  let unchanged = 0;
  const report = (id: string, state: PrepareProgress['state'], reason?: string) => {
    onProgress?.({ done: ++done, total: tasks.length, id, state, ...(reason !== undefined && { reason }) });
  };
  const threads = Math.max(1, Math.min(workers, tasks.length));
  const pool = openWorkerPool<PrepareCaseTask, PrepareCaseOutcome>(import.meta.url, './prepare-worker.js', {
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 10_000,
    signal,
  });
  try {
    const pending = tasks.entries();
    const lanes = Array.from({ length: threads }, async () => {
      for (const [i, task] of pending) {
        signal?.throwIfAborted();
        const { source } = task;
        const known = await unchangedRecord(task);
        if (known) {
          cases[i] = { ...known, split: source.split };
          unchanged++;
          report(source.id, 'unchanged');
          continue;
        }
        const outcome = await pool.run(task);
        if (outcome.kind === 'prepared') cases[i] = outcome.record;
        else
          skipped[i] = {
            id: source.id,
            dataset: source.dataset,
            reason: outcome.reason,
            ...(outcome.file !== undefined && { file: outcome.file }),
          };
        report(source.id, outcome.kind === 'prepared' ? 'prepared' : 'skipped', outcome.kind === 'unusable' ? outcome.reason : undefined);
      }
    });
    await Promise.all(lanes);
  } catch (cause) {
    if (signal?.aborted) {
      throw new InterruptedError(
        `prepare was interrupted after ${done} of ${tasks.length} cases: run the same command again to continue`,
        {},
        { cause },
      );
    }
    throw workError(cause, out);
  } finally {
    await pool.close();
  }
  return {
    cases: cases.filter((record) => record !== undefined),
    skipped: skipped.filter((entry) => entry !== undefined),
    unchanged,
  };
}

/** The record of an earlier run, if the same sources and settings would give the same case and its files are there. */
async function unchangedRecord({ out, source, preprocessing, classes }: PrepareCaseTask): Promise<PreparedCase | undefined> {
  const recordFile = join(out, caseRecordFile(source.id));
  const text = await readFile(recordFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { data: record } = preparedCaseSchema.safeParse(jsonOrUndefined(text));
  if (record?.fingerprint.settings !== settingsFingerprint(preprocessing, classes, source)) return undefined;
  for (const file of [record.image, record.label]) {
    if (file !== undefined && !(await stat(join(out, file)).catch(() => undefined))) return undefined;
  }
  for (const known of record.fingerprint.sources) if (!(await sourceUnchanged(known))) return undefined;
  return record;
}

/** The earlier index's other datasets stay, as long as the dataset index still has them. */
function mergeIndex(
  previous: PreparedIndex | undefined,
  file: DatasetFile,
  datasets: readonly SourceDataset[],
  { cases, skipped }: Outcomes,
): PreparedIndex {
  const redone = new Set(datasets.map(({ name }) => name));
  const stays = (dataset: string) => !redone.has(dataset) && dataset in file.datasets;
  const summaries = datasets.map((dataset) => [dataset.name, summariseDataset(dataset, cases, skipped)] as const);
  const kept = Object.entries(previous?.datasets ?? {}).filter(([dataset]) => stays(dataset));
  return {
    schema: 1,
    seed: file.seed,
    validationShare: file.validationShare,
    datasets: Object.fromEntries([...kept, ...summaries]),
    cases: [...(previous?.cases ?? []).filter(({ dataset }) => stays(dataset)), ...cases],
    skipped: [...(previous?.skipped ?? []).filter(({ dataset }) => stays(dataset)), ...skipped],
  };
}

/** An index that cannot be read counts only when another dataset would be lost with it. */
async function previousIndex(out: string, file: DatasetFile, datasets: readonly SourceDataset[]): Promise<PreparedIndex | undefined> {
  return readPreparedIndexIfAny(out).catch((error: unknown) => {
    if (datasets.length < Object.keys(file.datasets).length) throw error;
    return undefined;
  });
}

async function lockFolder(out: string): Promise<() => Promise<void>> {
  await mkdir(out, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new WorkError(`the folder ${out} cannot be made (${cause.code}): choose another --out`, { file: out }, { cause });
  });
  // A lock left by a killed run is stale after 10 s, so waiting a little longer than that is enough to continue after it.
  const retries = { retries: 12, minTimeout: 1000, maxTimeout: 1000 };
  return lock(out, { stale: 10_000, retries }).catch((cause: unknown) => {
    throw new WorkError(`another prepare is writing to ${out}: wait for it or choose another --out`, { file: out }, { cause });
  });
}

/** What a killed run left half written: our own partial volumes, and the numbered files that atomic writes begin with. */
async function removePartialFiles(out: string, datasets: readonly SourceDataset[]): Promise<void> {
  for (const folder of [out, ...datasets.map(({ name }) => join(out, name))]) {
    const left = (await readdir(folder).catch(() => [])).filter((file) => /\.partial$|\.json\.[0-9]+$/.test(file));
    for (const file of left) await rm(join(folder, file), { force: true });
  }
}

function workError(cause: unknown, out: string): Error {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC')
    return new WorkError(`the disk of ${out} is full: free space or choose another --out, then run the same command again`, { file: out }, { cause });
  return cause instanceof Error ? cause : new WorkError(String(cause));
}
