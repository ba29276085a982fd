import type { CaseResult, ClassResult } from './evaluate-case.js';

/** Mean and sample standard deviation over the `n` values that are defined; null where there are too few. */
export interface Spread {
  readonly mean: number | null;
  readonly std: number | null;
  readonly n: number;
}

export interface ClassSummary {
  readonly dice: Spread;
  readonly hd95: Spread;
  /** Cases without the class in the reference. */
  readonly nUndefined: number;
  /** Cases with it, of which nothing was predicted. */
  readonly nMissed: number;
  readonly nFalsePositiveOnEmpty: number;
}

/** `overClasses`: per class over cases, then over classes. `overCases`: per case over classes, then over cases. */
export interface Means {
  readonly overClasses: number | null;
  readonly overCases: number | null;
}

/** Content of `evaluation.json`. */
export interface Evaluation {
  readonly schema: 1;
  readonly task: string;
  readonly classes: readonly string[];
  readonly cases: readonly CaseResult[];
  readonly perClass: Readonly<Record<string, ClassSummary>>;
  readonly mean: { readonly dice: Means; readonly hd95: Means };
}

/** The summary of an evaluation; undefined numbers are null and left out of means, and what was left out is counted. */
export function summarise(task: string, classes: readonly string[], cases: readonly CaseResult[]): Evaluation {
  const perClass = Object.fromEntries(classes.map((name) => [name, summariseClass(cases.map((result) => result.classes[name]!))]));
  const means = (metric: 'dice' | 'hd95'): Means => ({
    overClasses: spread(classes.map((name) => perClass[name]![metric].mean)).mean,
    overCases: spread(cases.map((result) => spread(classes.map((name) => result.classes[name]![metric])).mean)).mean,
  });
  return { schema: 1, task, classes, cases, perClass, mean: { dice: means('dice'), hd95: means('hd95') } };
}

function summariseClass(results: readonly ClassResult[]): ClassSummary {
  const count = (...statuses: readonly string[]) => results.filter(({ status }) => statuses.includes(status)).length;
  return {
    dice: spread(results.map(({ dice }) => dice)),
    hd95: spread(results.map(({ hd95 }) => hd95)),
    nUndefined: count('absent', 'false-positive'),
    nMissed: count('missed'),
    nFalsePositiveOnEmpty: count('false-positive'),
  };
}

/** Mean and sample standard deviation of the values that are defined. */
export function spread(values: readonly (number | null)[]): Spread {
  const defined = values.filter((value) => value !== null);
  const n = defined.length;
  if (n === 0) return { mean: null, std: null, n };
  const mean = defined.reduce((sum, value) => sum + value, 0) / n;
  const std = n > 1 ? Math.sqrt(defined.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)) : null;
  return { mean, std, n };
}
