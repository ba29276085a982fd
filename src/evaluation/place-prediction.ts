import { describeGrid, gridDifference, sameVoxels } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { type Grid, resampleToGrid, type Volume } from '../volume/index.js';

/**
 * How a prediction came onto its label's grid: it lay there, its axes were permuted or flipped, or its
 * nearest voxels were taken.
 */
export type Placement = 'same-grid' | 'reoriented' | 'resampled';

interface Pair<T extends Grid> {
  readonly prediction: T;
  readonly reference: T;
  readonly files: { readonly prediction: string; readonly reference: string };
}

/**
 * How the prediction comes onto its label's grid.
 * @param resample whether another grid may be resampled
 * @throws DataError with both geometries when it may not
 */
export function placementOf({ prediction, reference, files }: Pair<Grid>, resample: boolean): Placement {
  const difference = gridDifference(
    reference,
    files.reference,
    prediction,
    files.prediction,
    'prediction',
    'label',
  );
  if (!difference) return 'same-grid';
  if (sameVoxels(reference, prediction)) return 'reoriented';
  if (resample) return 'resampled';
  const geometries = `prediction: ${describeGrid(prediction)}; label: ${describeGrid(reference)}`;
  throw new DataError(
    `${difference.message}, unless --resample brings the prediction onto its label's (${geometries})`,
    difference.facts,
  );
}

/** The prediction on its label's grid. Throws as `placementOf`. */
export function placePrediction(
  pair: Pair<Volume>,
  resample: boolean,
): { readonly prediction: Volume; readonly placement: Placement } {
  const placement = placementOf(pair, resample);
  const { prediction, reference } = pair;
  // Nearest voxels of a grid whose voxels coincide are those voxels.
  return {
    placement,
    prediction: placement === 'same-grid' ? prediction : resampleToGrid(prediction, reference, 'nearest'),
  };
}
