import { itemAt } from '../at.js';
import type { Triple } from '../volume/index.js';
import { type Overlap, overlaps } from './overlap.js';
import {
  averageSurfaceDistance,
  hausdorff95,
  normalisedSurfaceDice,
  surfaceDistances,
} from './surface-distances.js';

/** A binary mask, 1 inside; x fastest. */
export interface Mask {
  readonly size: Triple;
  readonly data: Uint8Array;
}

/** The normalised surface Dice at a tolerance. */
export type NsdMetric = `nsd${number}mm`;
/** What is measured beside Dice and HD95. */
export type FurtherMetric =
  | 'asd'
  | NsdMetric
  | 'volumeDifferenceMl'
  | 'relativeVolumeDifference'
  | 'sensitivity'
  | 'precision';
/** All that is measured. */
export type Metric = 'dice' | 'hd95' | FurtherMetric;

/** Key of the normalised surface Dice at a tolerance: `nsd2mm`. */
export const nsdMetric = (toleranceMm: number): NsdMetric => `nsd${toleranceMm}mm`;

/** `2 |P n G| / (|P| + |G|)`; null when the reference is empty. */
export function dice(prediction: Uint8Array, reference: Uint8Array): number | null {
  let [both, predicted, present] = [0, 0, 0];
  for (let i = 0; i < reference.length; i++) {
    const inside = prediction[i]!;
    const there = reference[i]!;
    predicted += inside;
    present += there;
    both += inside & there;
  }
  return diceOf({ predicted, present, both });
}

type Counts = Pick<Overlap, 'predicted' | 'present' | 'both'>;

/** Dice from counts of voxels; null when the reference is empty. */
export const diceOf = ({ predicted, present, both }: Counts): number | null =>
  present === 0 ? null : (2 * both) / (predicted + present);

/**
 * Metrics of counts of voxels: sensitivity `|P n G| / |G|`, null when the reference is empty; precision `|P n
 * G| / |P|`, null when nothing is predicted; volume difference `|P| - |G|` in ml, and as a share of `|G|`,
 * which is null when the reference is empty.
 * @param spacing mm along [x, y, z]
 */
export function overlapMetrics({ predicted, present, both }: Counts, spacing: Triple) {
  const voxelMl = (spacing[0] * spacing[1] * spacing[2]) / 1000;
  return {
    volumeDifferenceMl: (predicted - present) * voxelMl,
    relativeVolumeDifference: present === 0 ? null : (predicted - present) / present,
    sensitivity: present === 0 ? null : both / present,
    precision: predicted === 0 ? null : both / predicted,
  };
}

/**
 * 95th percentile Hausdorff distance in mm: the larger of the two directed 95th percentiles (linear
 * interpolation) of the distances between surfaces; MONAI's definition. null when either mask is empty.
 * @param spacing mm along [x, y, z]
 */
export function hd95(prediction: Mask, reference: Mask, spacing: Triple): number | null {
  const overlap = itemAt(overlaps(reference.size, prediction.data, reference.data, [[1]]), 0);
  return surfaceMetrics(overlap, reference.size, spacing, []).hd95;
}

/**
 * HD95 and average surface distance in mm, null when either side is empty, and the normalised surface Dice at
 * each tolerance: 0 when nothing is predicted of what is there, null when the reference is empty.
 * @param size voxels of the volume
 * @param spacing mm along [x, y, z]
 */
export function surfaceMetrics(
  { predicted, present, prediction, reference }: Overlap,
  size: Triple,
  spacing: Triple,
  nsdToleranceMm: readonly number[],
) {
  const nsd = (value: (toleranceMm: number) => number | null): Record<NsdMetric, number | null> =>
    Object.fromEntries(nsdToleranceMm.map((toleranceMm) => [nsdMetric(toleranceMm), value(toleranceMm)]));
  if (predicted === 0 || present === 0)
    return { hd95: null, asd: null, ...nsd(() => (present === 0 ? null : 0)) };
  const distances = surfaceDistances(prediction, reference, size, spacing);
  return {
    hd95: hausdorff95(distances),
    asd: averageSurfaceDistance(distances),
    ...nsd((toleranceMm) => normalisedSurfaceDice(distances, toleranceMm)),
  };
}
