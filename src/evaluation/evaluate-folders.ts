import { itemAt } from '../at.js';
import type { LabelMap } from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import { mapInLanes, openWorkerPool } from '../threads/index.js';
import { openLabelSlices } from '../volume/index.js';
import {
  type CaseResult,
  defaultFurtherMetrics,
  type EvaluatedClass,
  type FurtherMetrics,
} from './evaluate-case.js';
import type { EvaluatedFiles, EvaluateFilesTask } from './evaluate-files.js';
import type { EvaluateFilesOutcome } from './evaluate-worker.js';
import { labelTargets } from './label-targets.js';
import { type FilePair, type Pairing, pairFiles } from './pair-files.js';
import { placementOf } from './place-prediction.js';

/** What is evaluated, and how. */
export interface FolderEvaluation {
  readonly predictions: string;
  readonly labels: string;
  readonly classes: readonly EvaluatedClass[];
  /** Values that stand for others, in predictions and labels alike. */
  readonly labelMap?: LabelMap | undefined;
  readonly further?: FurtherMetrics;
  /** The labels' value of voxels that are left out on both sides; absent: every voxel counts. */
  readonly ignore?: number | undefined;
  /** Whether a prediction on another grid is resampled to its label's; otherwise it cannot be used. */
  readonly resample?: boolean;
  /** Whether files that cannot be used are left out and named; otherwise the first of them is thrown. */
  readonly incomplete?: boolean;
  /** Threads; each holds one case in memory. */
  readonly workers?: number;
  /** After each case. */
  readonly onCase?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What became of the files, by the names of cases. */
export interface FileReport {
  /** What the names of a pair have in common. */
  readonly pairedBy: string;
  /** Labels without a prediction. */
  readonly missing: readonly string[];
  /** Predictions without a label. */
  readonly extra: readonly string[];
  /** Predictions that lie on another grid than their label, with the reason. */
  readonly misaligned: readonly UnusableFile[];
  /** Damaged files, and files with values that are no class. */
  readonly unusable: readonly UnusableFile[];
  /** Holding nothing but background. */
  readonly emptyPredictions: readonly string[];
  readonly emptyLabels: readonly string[];
  /** Predictions whose axes ran another way than their label's. */
  readonly reoriented: readonly string[];
  readonly resampled: readonly string[];
}

/** A case whose files cannot be used. */
export interface UnusableFile {
  readonly id: string;
  readonly reason: string;
}

/** The cases in order of name, and what became of the files. */
export interface EvaluatedFolders {
  readonly cases: readonly CaseResult[];
  readonly files: FileReport;
}

/**
 * Evaluates the predictions in a folder against the labels of the same names in another, in order of name, in
 * worker threads; `pairFiles` says which names are the same. Unless `incomplete`, both folders must hold the same cases: a
 * case left out would make the means look better than they are.
 * @throws DataError when a folder is missing or empty, nothing can be evaluated, or, unless `incomplete`, a
 * file has no partner or two, the volumes of a pair do not share one space, or one holds a value that is no
 * class; UsageError when two classes have one name
 */
export async function evaluateFolders(options: FolderEvaluation): Promise<EvaluatedFolders> {
  const { predictions, labels, classes, incomplete = false } = options;
  refuseSameNames(classes);
  refuseIgnoredClass(classes, options.ignore);
  const pairing = await pairFiles(predictions, labels, incomplete);
  const checked = await checkGrids(pairing.pairs, options);
  const outcomes = await evaluatePairs(checked.pairs, options);
  const evaluated = outcomes.filter((outcome) => outcome.kind === 'evaluated');
  const unusable = outcomes.flatMap((outcome, i) =>
    outcome.kind === 'unusable' ? [{ id: itemAt(checked.pairs, i).id, reason: outcome.message }] : [],
  );
  if (evaluated.length === 0) {
    throw new DataError(
      `nothing can be evaluated: no file of ${predictions} can be used with one of ${labels} (${reasons(pairing, checked, unusable)})`,
      {
        file: predictions,
      },
    );
  }
  return {
    cases: evaluated.map(({ result }) => result),
    files: reportOf(options, pairing, checked, unusable, evaluated),
  };
}

/** Results are kept by the names of classes, so the second of two would replace the first. */
function refuseSameNames(classes: readonly EvaluatedClass[]): void {
  const twice = classes.find(({ name }, i) => classes.findIndex((other) => other.name === name) < i);
  if (!twice) return;
  throw new UsageError(`two classes are named "${twice.name}": give each class a name of its own`, {
    field: 'classes',
    found: twice.name,
  });
}

/** What is left out cannot be measured. */
function refuseIgnoredClass(classes: readonly EvaluatedClass[], ignore: number | undefined): void {
  const ignored = classes.find(({ values }) => ignore !== undefined && values.includes(ignore));
  if (!ignored) return;
  throw new UsageError(
    `the value ${ignore} is ignored, but the class "${ignored.name}" has it: leave one out`,
    {
      field: 'ignore',
      found: ignore,
    },
  );
}

interface Checked {
  readonly pairs: readonly FilePair[];
  readonly misaligned: readonly UnusableFile[];
  /** Files whose headers cannot be read. */
  readonly unusable: readonly UnusableFile[];
}

/**
 * Compares the headers of all pairs before the first is evaluated: that takes a moment, and what it finds
 * would end the evaluation later.
 */
async function checkGrids(
  pairs: readonly FilePair[],
  { resample = false, incomplete = false, labelMap }: FolderEvaluation,
): Promise<Checked> {
  const usable: FilePair[] = [];
  const misaligned: UnusableFile[] = [];
  const unusable: UnusableFile[] = [];
  for (const pair of pairs) {
    let list = unusable;
    try {
      const targets = await labelTargets(pair, labelMap);
      const [prediction, reference] = [
        await openLabelSlices(pair.prediction, targets.prediction),
        await openLabelSlices(pair.reference, targets.reference),
      ];
      list = misaligned;
      placementOf({ prediction, reference, files: pair }, resample);
      usable.push(pair);
    } catch (error) {
      if (!(error instanceof DataError && incomplete)) throw error;
      list.push({ id: pair.id, reason: error.message });
    }
  }
  return { pairs: usable, misaligned, unusable };
}

async function evaluatePairs(
  pairs: readonly FilePair[],
  options: FolderEvaluation,
): Promise<EvaluateFilesOutcome[]> {
  const {
    classes,
    labelMap,
    ignore,
    further = defaultFurtherMetrics,
    resample = false,
    incomplete = false,
    workers = 1,
    onCase,
    signal,
  } = options;
  let done = 0;
  const maxThreads = Math.max(1, Math.min(workers, pairs.length));
  const pool = openWorkerPool<EvaluateFilesTask, EvaluateFilesOutcome>(
    import.meta.url,
    './evaluate-worker.js',
    {
      minThreads: 0,
      maxThreads,
      signal,
    },
  );
  try {
    return await mapInLanes(pairs, maxThreads, async (pair) => {
      signal?.throwIfAborted();
      const outcome = await pool.run({ ...pair, classes, labelMap, ignore, further, resample });
      if (outcome.kind === 'unusable' && !incomplete) throw new DataError(outcome.message, outcome.facts);
      onCase?.(pair.id, ++done, pairs.length);
      return outcome;
    });
  } finally {
    await pool.close();
  }
}

function reportOf(
  { predictions, labels }: FolderEvaluation,
  { rule, missing, extra }: Pairing,
  checked: Checked,
  unusable: readonly UnusableFile[],
  evaluated: readonly EvaluatedFiles[],
): FileReport {
  // Files by their names alone: their folders say more of a machine and its patients than a result should.
  const named = ({ id, reason }: UnusableFile): UnusableFile => {
    const [first, then] = [predictions, labels].sort((a, b) => b.length - a.length);
    return { id, reason: reason.replaceAll(`${first}/`, '').replaceAll(`${then}/`, '') };
  };
  const where = (holds: (files: EvaluatedFiles) => boolean) =>
    evaluated.filter(holds).map(({ result }) => result.id);
  return {
    pairedBy: rule,
    missing,
    extra,
    misaligned: checked.misaligned.map(named),
    unusable: [...checked.unusable, ...unusable].map(named),
    emptyPredictions: where(({ empty }) => empty.prediction),
    emptyLabels: where(({ empty }) => empty.label),
    reoriented: where(({ placement }) => placement === 'reoriented'),
    resampled: where(({ placement }) => placement === 'resampled'),
  };
}

function reasons(
  { missing, extra }: Pairing,
  { misaligned, unusable }: Checked,
  later: readonly UnusableFile[],
): string {
  const first = [...misaligned, ...unusable, ...later][0];
  return `${missing.length} labels have no prediction, ${extra.length} predictions no label${first ? `; ${first.id}: ${first.reason}` : ''}`;
}
