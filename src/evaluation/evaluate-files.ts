import { type LabelMap, toClassValues } from '../dataset/index.js';
import { readLabel } from '../volume/index.js';
import { type CaseResult, type EvaluatedClass, evaluateCase, type FurtherMetrics } from './evaluate-case.js';
import { labelTargets } from './label-targets.js';
import { type Placement, placePrediction } from './place-prediction.js';

/** One case to evaluate from its files; travels between threads. */
export interface EvaluateFilesTask {
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
  readonly classes: readonly EvaluatedClass[];
  readonly labelMap?: LabelMap | undefined;
  readonly further: FurtherMetrics;
  readonly resample: boolean;
  /** The label's value of voxels that are left out on both sides. */
  readonly ignore?: number | undefined;
}

/** What became of one case. */
export interface EvaluatedFiles {
  readonly result: CaseResult;
  readonly placement: Placement;
  /** Whether a file holds nothing but background. */
  readonly empty: { readonly prediction: boolean; readonly label: boolean };
}

/**
 * Reads a prediction and its label, whatever their types of number and orientations, and evaluates one
 * against the other.
 * @throws DataError when a file is damaged, holds a value that is no class, or the grids differ and may not
 * be resampled
 */
export async function evaluateFiles({
  id,
  prediction,
  reference,
  classes,
  labelMap,
  further,
  resample,
  ignore,
}: EvaluateFilesTask): Promise<EvaluatedFiles> {
  const names = Object.fromEntries(
    classes.flatMap(({ name, values }) => values.map((value) => [String(value), name])),
  );
  const files = { prediction, reference };
  const targets = await labelTargets(files, labelMap);
  const read = async (which: keyof typeof files) =>
    toClassValues(await readLabel(files[which], targets[which]), names, labelMap, files[which], ignore);
  const label = await read('reference');
  const placed = placePrediction({ prediction: await read('prediction'), reference: label, files }, resample);
  const result = evaluateCase(id, placed.prediction, label, classes, files, further, ignore);
  const statuses = Object.values(result.classes).map(({ status }) => status);
  const empty = {
    prediction: statuses.every((status) => status === 'absent' || status === 'missed'),
    label: statuses.every((status) => status === 'absent' || status === 'false-positive'),
  };
  return { result, placement: placed.placement, empty };
}
