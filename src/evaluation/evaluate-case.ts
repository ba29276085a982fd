import { itemAt } from '../at.js';
import { requireSameGrid } from '../dataset/index.js';
import type { Volume, VoxelArray } from '../volume/index.js';
import { diceOf, type FurtherMetric, overlapMetrics, surfaceMetrics } from './metrics.js';
import { type Overlap, overlaps } from './overlap.js';

/**
 * A class as the label values that make it up: one for an organ, several for a region (BraTS: WT = 1, 2, 4).
 */
export interface EvaluatedClass {
  readonly name: string;
  readonly values: readonly number[];
}

/**
 * `missed`: nothing predicted of what is there; `false-positive`: something predicted of what is not;
 * `absent`: neither.
 */
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

/** Voxels of a class in a case. */
export interface VoxelCounts {
  readonly predicted: number;
  readonly present: number;
  readonly both: number;
  /** Of the whole volume, but for those that are ignored. */
  readonly all: number;
}

/** What was measured of a case, by the names of classes. */
export interface CaseResult {
  readonly id: string;
  /** Where further metrics were asked for. */
  readonly files?: { readonly prediction: string; readonly reference: string };
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
 * Dice and HD95 of each class in the label's own space, and with `further` the other metrics and the counts
 * of voxels that they come from.
 * @param ignore the label's value of voxels that are left out on both sides, as nnU-Net leaves them out
 * @throws DataError when the two volumes do not share one grid
 */
export function evaluateCase(
  id: string,
  prediction: Volume,
  reference: Volume,
  classes: readonly EvaluatedClass[],
  files: NonNullable<CaseResult['files']>,
  further?: FurtherMetrics,
  ignore?: number,
): CaseResult {
  requireSameGrid(reference, files.reference, prediction, files.prediction, 'prediction', 'label');
  const counted = ignore === undefined ? undefined : withoutIgnored(prediction, reference, ignore);
  const found = overlaps(
    reference.size,
    counted?.prediction ?? prediction.data,
    counted?.reference ?? reference.data,
    classes.map(({ values }) => values),
  );
  const voxels = counted?.voxels ?? reference.data.length;
  return {
    id,
    ...(further && { files }),
    classes: Object.fromEntries(
      classes.map(({ name }, i) => [name, evaluateClass(itemAt(found, i), reference, voxels, further)]),
    ),
  };
}

/** Background on both sides where the label is to be ignored, and how many voxels are not. */
function withoutIgnored(
  prediction: Volume,
  reference: Volume,
  ignore: number,
): { prediction: VoxelArray; reference: VoxelArray; voxels: number } {
  const left = { prediction: prediction.data.slice(), reference: reference.data.slice(), voxels: 0 };
  for (let i = 0; i < left.reference.length; i++) {
    if (left.reference[i] !== ignore) {
      left.voxels++;
      continue;
    }
    left.reference[i] = 0;
    left.prediction[i] = 0;
  }
  return left;
}

function evaluateClass(
  overlap: Overlap,
  { size, spacing }: Volume,
  voxels: number,
  further: FurtherMetrics | undefined,
): ClassResult {
  const { predicted, present, both } = overlap;
  const surfaces = surfaceMetrics(overlap, size, spacing, further?.nsdToleranceMm ?? []);
  const found = { dice: diceOf(overlap), hd95: surfaces.hd95, status: statusOf(predicted, present) };
  if (!further) return found;
  return {
    ...found,
    ...surfaces,
    ...overlapMetrics(overlap, spacing),
    voxels: { predicted, present, both, all: voxels },
  };
}

function statusOf(predicted: number, present: number): ClassStatus {
  if (present === 0) return predicted === 0 ? 'absent' : 'false-positive';
  return predicted === 0 ? 'missed' : 'ok';
}
