import { entryOf, itemAt } from '../../at.js';
import { InterruptedError } from '../../errors.js';
import { openWorkerPool } from '../../threads/index.js';
import { mapAxes, type Triple } from '../../volume/index.js';
import { readDatasetFile } from '../index/dataset-file.js';
import { indexDatasets } from '../index/index-datasets.js';
import type { SourceCase, SourceDataset } from '../index/listed-case.js';
import { withSplitFile } from '../index/split-file.js';
import type { Preprocessing } from '../prepare/preprocessing.js';
import { accountFiles, type FileAccount } from './account-files.js';
import type { CheckCaseTask, CheckedCase } from './check-case.js';
import {
  type ComparedCase,
  duplicates,
  otherChannels,
  patientsOfSeveralCases,
  spacingOutliers,
} from './check-set.js';
import type { Finding } from './finding.js';

/** Which datasets are checked, and how. */
export interface CheckOptions {
  /** The dataset index, see `datasets.example.json`. */
  readonly datasetsFile: string;
  /** Names of datasets; absent: all. */
  readonly only?: readonly string[];
  /** Splits of the user's, see `withSplitFile`. */
  readonly splitFile?: string | undefined;
  /** Threads; each holds one volume in memory. */
  readonly workers: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly id: string;
  }) => void;
}

/** What a dataset holds, as far as its files could be read. */
export interface CheckedDataset {
  readonly name: string;
  readonly modality: 'ct' | 'mr';
  readonly classes: Readonly<Record<string, string>>;
  /** Regions that are learnt instead of the classes, and the value of voxels that are left out. */
  readonly regions?: SourceDataset['regions'];
  readonly ignore?: number;
  readonly preprocessing: Preprocessing;
  readonly cases: number;
  readonly labelled: number;
  readonly unusable: number;
  /** Most frequent first. */
  readonly channels: readonly number[];
  /** Lowest and highest along each axis over the readable cases; null when there are none. */
  readonly spacing: Range | null;
  readonly size: Range | null;
  /** What the layout left out or found odd. */
  readonly notes: readonly string[];
  /** What became of every file below the dataset's folder. */
  readonly files: FileAccount;
}

interface Range {
  readonly min: readonly number[];
  readonly max: readonly number[];
}

/** What was found in the datasets of an index. */
export interface CheckResult {
  readonly datasets: readonly CheckedDataset[];
  /** In the order of the index. */
  readonly findings: readonly Finding[];
  /** 3 when `prepare` would skip a case, else 0. */
  readonly exitCode: 0 | 3;
}

/**
 * Says what is found in the datasets of an index and what is odd about it, and
 * changes nothing on disk. Every file is read once, in worker threads. What is
 * called `unusable` is what `prepare` would skip, with the same sentence.
 * @throws UsageError for a wrong index, DataError when a dataset
 *   as a whole is missing, InterruptedError after `signal`
 */
export async function checkDatasets(options: CheckOptions): Promise<CheckResult> {
  const file = await withSplitFile(await readDatasetFile(options.datasetsFile), options.splitFile);
  const datasets = await indexDatasets(file, options.only);
  const checked = await checkCases(datasets, options);
  const compared = (source: SourceCase): ComparedCase => ({ source, checked: entryOf(checked, source.id) });
  const all = datasets.flatMap(({ cases }) => cases.map(compared));
  const ofSets = [
    ...duplicates(all),
    ...datasets.flatMap(({ groupOddities }) =>
      groupOddities.map((oddity): Finding => ({ ...oddity, severity: 'odd' })),
    ),
    ...datasets.flatMap(({ cases, groupsStated }) => {
      const own = cases.map(compared);
      const patients = groupsStated ? [] : patientsOfSeveralCases(own);
      return [...patients, ...otherChannels(own), ...spacingOutliers(own)];
    }),
  ];
  const findings = all.flatMap(({ source: { id }, checked }) => [
    ...checked.findings.map((finding) => ({ id, ...finding })),
    ...ofSets.filter((finding) => finding.id === id),
  ]);
  const unusable = findings.filter(({ severity }) => severity === 'unusable').map(({ id }) => id);
  const accounts = await accountFiles(datasets, new Set(unusable), options.datasetsFile);
  return {
    datasets: datasets.map((dataset, i) => ({ ...summarise(dataset, checked), files: itemAt(accounts, i) })),
    findings,
    exitCode: findings.some(({ severity }) => severity === 'unusable') ? 3 : 0,
  };
}

async function checkCases(
  datasets: readonly SourceDataset[],
  { workers, signal, onProgress }: CheckOptions,
): Promise<Map<string, CheckedCase>> {
  const tasks = datasets.flatMap(({ cases, preprocessing, classes, ignore }) =>
    cases.map((source): CheckCaseTask => ({ source, preprocessing, classes, ignore })),
  );
  const threads = Math.max(1, Math.min(workers, tasks.length));
  const pool = openWorkerPool<CheckCaseTask, CheckedCase>(import.meta.url, './check-worker.js', {
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 10_000,
    signal,
  });
  const checked = new Map<string, CheckedCase>();
  let done = 0;
  try {
    const pending = tasks.values();
    const lanes = Array.from({ length: threads }, async () => {
      for (const task of pending) {
        signal?.throwIfAborted();
        const result = await pool.run(task);
        checked.set(result.id, result);
        onProgress?.({ done: ++done, total: tasks.length, id: result.id });
      }
    });
    await Promise.all(lanes);
    return checked;
  } catch (cause) {
    if (!signal?.aborted) throw cause;
    throw new InterruptedError(
      `the check was interrupted after ${done} of ${tasks.length} cases: nothing was changed`,
      {},
      { cause },
    );
  } finally {
    await pool.close();
  }
}

function summarise(
  { name, modality, classes, regions, ignore, preprocessing, cases, notes }: SourceDataset,
  checked: ReadonlyMap<string, CheckedCase>,
): Omit<CheckedDataset, 'files'> {
  const mine = cases.map(({ id }) => entryOf(checked, id));
  const readable = mine.filter(({ spacing }) => spacing !== undefined);
  return {
    name,
    modality,
    classes,
    ...(regions && { regions }),
    ...(ignore !== undefined && { ignore }),
    preprocessing,
    cases: cases.length,
    labelled: cases.filter(({ label, images }) => label !== undefined && images.length > 0).length,
    unusable: mine.filter(({ findings }) => findings.some(({ severity }) => severity === 'unusable')).length,
    channels: [...new Set(readable.map(({ channels }) => channels))].sort(
      (a, b) => timesOf(b, readable) - timesOf(a, readable),
    ),
    spacing: rangeOf(readable.flatMap(({ spacing }) => (spacing ? [spacing] : []))),
    size: rangeOf(readable.flatMap(({ size }) => (size ? [size] : []))),
    notes,
  };
}

const timesOf = (channels: number, cases: readonly CheckedCase[]): number =>
  cases.filter((checked) => checked.channels === channels).length;

function rangeOf(values: readonly Triple[]): Range | null {
  const [first] = values;
  if (!first) return null;
  const perAxis = (of: (...numbers: number[]) => number) =>
    mapAxes(first, (start, axis) => values.reduce((best, value) => of(best, value[axis]), start));
  return { min: perAxis(Math.min), max: perAxis(Math.max) };
}
