import { entryOf } from '../at.js';
import type { LabelMap } from '../dataset/index.js';
import type { CaseResult, ClassResult, FurtherMetrics } from './evaluate-case.js';
import type { FileReport } from './evaluate-folders.js';
import type { FurtherMetric, Metric } from './metrics.js';

/** Mean and sample standard deviation over the `n` values that are defined; null where there are too few. */
export interface MeanAndStd {
  readonly mean: number | null;
  readonly std: number | null;
  readonly n: number;
}

/** A class over all cases. */
export type ClassSummary = Readonly<Partial<Record<FurtherMetric, MeanAndStd>>> & {
  readonly dice: MeanAndStd;
  readonly hd95: MeanAndStd;
  /** Cases without the class in the reference. */
  readonly nUndefined: number;
  /** Cases with it, of which nothing was predicted. */
  readonly nMissed: number;
  readonly nFalsePositiveOnEmpty: number;
};

/**
 * `overClasses`: per class over cases, then over classes. `overCases`: per case over classes, then over
 * cases.
 */
export interface Means {
  readonly overClasses: number | null;
  readonly overCases: number | null;
}

/** Which weights of a run were evaluated. */
export interface WeightsFacts {
  readonly checkpoint: 'best' | 'last';
  /** Whether the evaluated cases chose these weights, which are then better on them than on any others. */
  readonly chosenOnTheseCases: boolean;
}

/** How an evaluation came about. */
export interface EvaluationFacts {
  /** Label values that make up each class. */
  readonly classValues: Readonly<Record<string, readonly number[]>>;
  readonly settings: FurtherMetrics & {
    readonly labelMap?: LabelMap;
    /** The labels' value of voxels that were left out. */
    readonly ignore?: number;
    readonly resample?: boolean;
  };
  readonly software: Readonly<Record<'hybridmim' | 'node', string>>;
  /** What became of the files of two folders. */
  readonly files?: FileReport;
  readonly weights?: WeightsFacts;
}

/** Content of `evaluation.json`. */
export interface Evaluation extends Partial<EvaluationFacts> {
  readonly schema: 1;
  readonly task: string;
  readonly classes: readonly string[];
  readonly cases: readonly CaseResult[];
  readonly perClass: Readonly<Record<string, ClassSummary>>;
  readonly mean: Readonly<Partial<Record<FurtherMetric, Means>>> & {
    readonly dice: Means;
    readonly hd95: Means;
  };
}

/**
 * The summary of an evaluation; undefined numbers are null and left out of means, and what was left out is
 * counted. Metrics beside Dice and HD95 are summed up where the cases have them.
 */
export function summarise(
  task: string,
  classes: readonly string[],
  cases: readonly CaseResult[],
  facts?: EvaluationFacts,
): Evaluation {
  const perClass = Object.fromEntries(
    classes.map((name) => [name, summariseClass(cases.map((result) => entryOf(result.classes, name)))]),
  );
  const means = (metric: Metric): Means => ({
    overClasses: meanAndStd(classes.map((name) => entryOf(perClass, name)[metric]?.mean ?? null)).mean,
    overCases: meanAndStd(
      cases.map(
        (result) => meanAndStd(classes.map((name) => entryOf(result.classes, name)[metric] ?? null)).mean,
      ),
    ).mean,
  });
  const further = furtherMetricsOf(cases.flatMap((result) => Object.values(result.classes)));
  const furtherMeans = Object.fromEntries(further.map((metric) => [metric, means(metric)]));
  return {
    schema: 1,
    task,
    ...facts,
    classes,
    cases,
    perClass,
    mean: { dice: means('dice'), hd95: means('hd95'), ...furtherMeans },
  };
}

/** Names of the metrics beside Dice and HD95 that some results have, in their order. */
export function furtherMetricsOf(results: readonly ClassResult[]): FurtherMetric[] {
  const others = new Set(['dice', 'hd95', 'status', 'voxels']);
  return [...new Set(results.flatMap((result) => Object.keys(result)))].filter(
    (key): key is FurtherMetric => !others.has(key),
  );
}

function summariseClass(results: readonly ClassResult[]): ClassSummary {
  const count = (...statuses: readonly string[]) =>
    results.filter(({ status }) => statuses.includes(status)).length;
  const overResults = (metric: Metric) => meanAndStd(results.map((result) => result[metric] ?? null));
  return {
    dice: overResults('dice'),
    hd95: overResults('hd95'),
    ...Object.fromEntries(furtherMetricsOf(results).map((metric) => [metric, overResults(metric)])),
    nUndefined: count('absent', 'false-positive'),
    nMissed: count('missed'),
    nFalsePositiveOnEmpty: count('false-positive'),
  };
}

/** Mean and sample standard deviation of the values that are defined. */
export function meanAndStd(values: readonly (number | null)[]): MeanAndStd {
  const defined = values.filter((value) => value !== null);
  const n = defined.length;
  if (n === 0) return { mean: null, std: null, n };
  const mean = defined.reduce((sum, value) => sum + value, 0) / n;
  const std =
    n > 1 ? Math.sqrt(defined.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)) : null;
  return { mean, std, n };
}
