import { gridDifference } from '../dataset/index.js';
import { DataError } from '../errors.js';
import {
  AXES,
  type Axis,
  applyAffine,
  closestToRas,
  composeAffines,
  type Grid,
  invertAffine,
  mapAxes,
  resampleToGrid,
  type Triple,
  type Volume,
} from '../volume/index.js';

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

/** How far from a whole voxel one of another orientation may lie, as for grids of the same. */
const toleranceVoxels = 0.05;

/**
 * Whether two grids have the same voxels in another order: each corner of one is a corner of the other, with
 * as many voxels between.
 */
function sameVoxels(reference: Grid, prediction: Grid): boolean {
  const toPrediction = composeAffines(invertAffine(prediction.affine), reference.affine);
  const corners = cornersOf(reference.size).map((corner) => applyAffine(toPrediction, corner));
  const isEnd = (at: number, axis: Axis) =>
    [0, prediction.size[axis] - 1].some((end) => Math.abs(at - end) <= toleranceVoxels);
  const different = (of: readonly Triple[]) =>
    new Set(of.map((corner) => corner.map(Math.round).join())).size;
  // Corners on corners could still be another number of voxels between them, so a step must be a step as
  // well.
  const steps = toPrediction.rows.filter((_, i) => i % 4 !== 3);
  return (
    steps.every((step) => [-1, 0, 1].some((whole) => Math.abs(step - whole) <= toleranceVoxels)) &&
    corners.every((corner) => mapAxes(corner, isEnd).every((end) => end)) &&
    different(corners) === different(cornersOf(prediction.size)) &&
    different(corners) === different(cornersOf(reference.size))
  );
}

const cornersOf = ([nx, ny, nz]: Triple): Triple[] =>
  [0, nx - 1].flatMap((x) => [0, ny - 1].flatMap((y) => [0, nz - 1].map((z): Triple => [x, y, z])));

function describeGrid(grid: Grid): string {
  const { axes, flipped } = closestToRas(grid);
  const letters = AXES.map((axis) => {
    const world = axes.indexOf(axis);
    return (flipped[world] ? 'LPI' : 'RAS')[world];
  });
  const rounded = (values: readonly number[], digits: number) =>
    values.map((value) => Number(value.toFixed(digits)));
  const origin = rounded(applyAffine(grid.affine, [0, 0, 0]), 2).join(', ');
  return `${grid.size.join('x')} voxels of ${rounded(grid.spacing, 4).join(' x ')} mm, axes to ${letters.join('')}, first voxel at [${origin}] mm`;
}
