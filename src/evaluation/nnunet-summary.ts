import { entryOf } from '../at.js';
import type { VoxelCounts } from './evaluate-case.js';
import type { Evaluation } from './summarise.js';

/** nnU-Net's names. */
type Measures = Readonly<Record<'Dice' | 'IoU' | 'FP' | 'TP' | 'FN' | 'TN' | 'n_pred' | 'n_ref', number>>;

/** A case as nnU-Net names what it says. */
interface CaseSummary {
  readonly metrics: Readonly<Record<string, Measures>>;
  readonly prediction_file: string;
  readonly reference_file: string;
}

/**
 * The evaluation as nnU-Net 2 writes its `summary.json`, by its definitions: Dice and IoU are 0, not
 * undefined, where something is predicted that is not there, and undefined only where both sides are empty.
 * Undefined numbers are the bare word NaN, as Python's JSON has it.
 * @returns undefined when the evaluation lacks counts of voxels, files or the classes' values
 */
export function nnunetSummary({ cases, classes, classValues }: Evaluation): string | undefined {
  if (!classValues) return undefined;
  const keys = new Map(classes.map((name) => [name, keyOf(entryOf(classValues, name))]));
  const perCase: CaseSummary[] = [];
  for (const { files, classes: results } of cases) {
    const metrics: Record<string, Measures> = {};
    for (const [name, key] of keys) {
      const voxels = results[name]?.voxels;
      if (!voxels) return undefined;
      metrics[key] = measuresOf(voxels);
    }
    if (!files) return undefined;
    perCase.push({ metrics, prediction_file: files.prediction, reference_file: files.reference });
  }
  const meanOf = (key: string) =>
    meansOf(
      perCase.map(({ metrics }) => entryOf(metrics, key)),
      (value) => !Number.isNaN(value),
    );
  const mean = Object.fromEntries([...keys.values()].map((key) => [key, meanOf(key)]));
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
  const meanOf = (name: keyof Measures) => mean(results.map((result) => result[name]).filter(counts));
  return {
    Dice: meanOf('Dice'),
    IoU: meanOf('IoU'),
    FP: meanOf('FP'),
    TP: meanOf('TP'),
    FN: meanOf('FN'),
    TN: meanOf('TN'),
    n_pred: meanOf('n_pred'),
    n_ref: meanOf('n_ref'),
  };
}

function pythonJson(content: object): string {
  const mark = 'not a number: 0/0';
  const text = JSON.stringify(content, (_, value: unknown) => (Number.isNaN(value) ? mark : value), 4);
  return text.replaceAll(`: "${mark}"`, ': NaN');
}
