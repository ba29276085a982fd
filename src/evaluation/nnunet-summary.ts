import type { VoxelCounts } from './evaluate-case.js';
import type { Evaluation } from './summarise.js';

const measures = ['Dice', 'IoU', 'FP', 'TP', 'FN', 'TN', 'n_pred', 'n_ref'] as const;
type Measures = Readonly<Record<(typeof measures)[number], number>>;

/**
 * The evaluation as nnU-Net 2 writes its `summary.json`, by its definitions: Dice and IoU are 0, not
 * undefined, where something is predicted that is not there, and undefined only where both sides are empty.
 * Undefined numbers are the bare word NaN, as Python's JSON has it.
 * @returns undefined when the evaluation lacks counts of voxels, files or the classes' values
 */
export function nnunetSummary({ cases, classes, classValues }: Evaluation): string | undefined {
  if (
    !classValues ||
    cases.some((result) => !result.files || classes.some((name) => !result.classes[name]?.voxels))
  )
    return undefined;
  const perCase = cases.map((result) => ({
    metrics: Object.fromEntries(
      classes.map((name) => [keyOf(classValues[name]!), measuresOf(result.classes[name]!.voxels!)]),
    ),
    prediction_file: result.files!.prediction,
    reference_file: result.files!.reference,
  }));
  const mean = Object.fromEntries(
    classes.map((name) => {
      const key = keyOf(classValues[name]!);
      return [
        key,
        meansOf(
          perCase.map(({ metrics }) => metrics[key]!),
          (value) => !Number.isNaN(value),
        ),
      ];
    }),
  );
  return pythonJson({
    foreground_mean: meansOf(Object.values(mean), () => true),
    mean,
    metric_per_case: perCase,
  });
}

/** A label as its value, a region as Python writes a tuple. */
const keyOf = (values: readonly number[]): string =>
  values.length === 1 ? String(values[0]) : `(${values.join(', ')})`;

function measuresOf({ predicted, present, both, all }: VoxelCounts): Measures {
  const [fp, fn] = [predicted - both, present - both];
  return {
    Dice: (2 * both) / (2 * both + fp + fn),
    IoU: both / (both + fp + fn),
    FP: fp,
    TP: both,
    FN: fn,
    TN: all - both - fp - fn,
    n_pred: predicted,
    n_ref: present,
  };
}

function meansOf(results: readonly Measures[], counts: (value: number) => boolean): Measures {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return Object.fromEntries(
    measures.map((name) => [name, mean(results.map((result) => result[name]).filter(counts))]),
  ) as Measures;
}

function pythonJson(content: object): string {
  const mark = 'not a number: 0/0';
  const text = JSON.stringify(content, (_, value: unknown) => (Number.isNaN(value) ? mark : value), 4);
  return text.replaceAll(`: "${mark}"`, ': NaN');
}
