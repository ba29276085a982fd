import { requireSameGrid } from '../dataset/index.js';
import type { Volume } from '../volume/index.js';
import { dice, hd95 } from './metrics.js';
import type { Mask } from './surface.js';

/** A class as the label values that make it up: one for an organ, several for a region (BraTS: WT = 1, 2, 4). */
export interface EvaluatedClass {
  readonly name: string;
  readonly values: readonly number[];
}

/** `missed`: nothing predicted of what is there; `false-positive`: something predicted of what is not; `absent`: neither. */
export type ClassStatus = 'ok' | 'missed' | 'false-positive' | 'absent';

export interface ClassResult {
  /** null where the reference is empty. */
  readonly dice: number | null;
  /** mm; null where either side is empty. */
  readonly hd95: number | null;
  readonly status: ClassStatus;
}

export interface CaseResult {
  readonly id: string;
  readonly classes: Readonly<Record<string, ClassResult>>;
}

/**
 * Dice and HD95 of each class in the label's own space.
 * @throws DataError when the two volumes do not share one grid
 */
export function evaluateCase(
  id: string,
  prediction: Volume,
  reference: Volume,
  classes: readonly EvaluatedClass[],
  files: { readonly prediction: string; readonly reference: string },
): CaseResult {
  requireSameGrid(reference, files.reference, prediction, files.prediction, 'prediction', 'label');
  return { id, classes: Object.fromEntries(classes.map((evaluated) => [evaluated.name, evaluateClass(prediction, reference, evaluated)])) };
}

function evaluateClass(prediction: Volume, reference: Volume, { values }: EvaluatedClass): ClassResult {
  const [predicted, present] = [maskOf(prediction, values), maskOf(reference, values)];
  const [somePredicted, somePresent] = [predicted.data.includes(1), present.data.includes(1)];
  if (!somePresent) return { dice: null, hd95: null, status: somePredicted ? 'false-positive' : 'absent' };
  if (!somePredicted) return { dice: 0, hd95: null, status: 'missed' };
  return { dice: dice(predicted.data, present.data), hd95: hd95(predicted, present, reference.spacing), status: 'ok' };
}

function maskOf({ size, data }: Volume, values: readonly number[]): Mask {
  const mask = new Uint8Array(size[0] * size[1] * size[2]);
  for (let i = 0; i < mask.length; i++) if (values.includes(data[i]!)) mask[i] = 1;
  return { size, data: mask };
}
