import { requireSameGrid } from '../dataset/index.js';
import type { Volume } from '../volume/index.js';
import { type JointCounts, jointCounts } from './joint-counts.js';
import { diceOf, type FurtherMetric, overlapMetrics, surfaceMetrics } from './metrics.js';

/** A class as the label values that make it up: one for an organ, several for a region (BraTS: WT = 1, 2, 4). */
export interface EvaluatedClass {
  readonly name: string;
  readonly values: readonly number[];
}

/** `missed`: nothing predicted of what is there; `false-positive`: something predicted of what is not; `absent`: neither. */
export type ClassStatus = 'ok' | 'missed' | 'false-positive' | 'absent';

/** The metrics of a class in a case, further ones where they were asked for. */
export type ClassResult = Readonly<Partial<Record<FurtherMetric, number | null>>> & {
  /** null where the reference is empty. */
  readonly dice: number | null;
  /** mm; null where either side is empty. */
  readonly hd95: number | null;
  readonly status: ClassStatus;
  /** Where further metrics were asked for. */
  readonly voxels?: VoxelCounts;
};

export interface VoxelCounts {
  readonly predicted: number;
  readonly present: number;
  readonly overlap: number;
  /** Of the whole volume. */
  readonly all: number;
}

export interface CaseResult {
  readonly id: string;
  readonly classes: Readonly<Record<string, ClassResult>>;
}

/** What is measured beside Dice and HD95. */
export interface FurtherMetrics {
  /** mm. */
  readonly nsdToleranceMm: readonly number[];
}

/** The surface Dice at one and two millimetres, a voxel or two of most scans. */
export const defaultFurtherMetrics: FurtherMetrics = { nsdToleranceMm: [1, 2] };

/**
 * Dice and HD95 of each class in the label's own space, and with `further` the other metrics and the counts of voxels that they come from.
 * @throws DataError when the two volumes do not share one grid
 */
export function evaluateCase(
  id: string,
  prediction: Volume,
  reference: Volume,
  classes: readonly EvaluatedClass[],
  files: { readonly prediction: string; readonly reference: string },
  further?: FurtherMetrics,
): CaseResult {
  requireSameGrid(reference, files.reference, prediction, files.prediction, 'prediction', 'label');
  const counts = jointCounts(
    reference.size,
    prediction.data,
    reference.data,
    classes.flatMap(({ values }) => values),
  );
  const results = classes.map((evaluated) => [evaluated.name, evaluateClass(prediction, reference, evaluated, counts, further)]);
  return { id, classes: Object.fromEntries(results) };
}

function evaluateClass(
  prediction: Volume,
  reference: Volume,
  { values }: EvaluatedClass,
  joint: JointCounts,
  further: FurtherMetrics | undefined,
): ClassResult {
  const counts = joint.of(values);
  const { predicted, present, overlap } = counts;
  const inside = valuesInside(values);
  const { spacing } = reference;
  const surfaces = surfaceMetrics({ ...prediction, inside }, { ...reference, inside }, counts, spacing, further?.nsdToleranceMm ?? []);
  const found = { dice: diceOf(counts), hd95: surfaces.hd95, status: statusOf(predicted, present) };
  if (!further) return found;
  return { ...found, ...surfaces, ...overlapMetrics(counts, spacing), voxels: { predicted, present, overlap, all: reference.data.length } };
}

function statusOf(predicted: number, present: number): ClassStatus {
  if (present === 0) return predicted === 0 ? 'absent' : 'false-positive';
  return predicted === 0 ? 'missed' : 'ok';
}

/** 1 at the values of a class, 0 at all others that a byte holds, or as many as the largest class needs. */
function valuesInside(values: readonly number[]): Uint8Array {
  const inside = new Uint8Array(Math.max(255, ...values) + 1);
  for (const value of values) inside[value] = 1;
  return inside;
}
