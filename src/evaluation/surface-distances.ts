import { doubleAt } from '../at.js';
import { WorkError } from '../errors.js';
import { percentile, type Triple } from '../volume/index.js';
import { boxAround } from './box.js';
import type { Runs } from './runs.js';
import { squaredDistances } from './squared-distances.js';
import { surfaceVoxels } from './surface.js';

/** Distances in mm between two surfaces, each way, ascending. */
export interface SurfaceDistances {
  /** Of every voxel of the prediction's surface to the reference's. */
  readonly toReference: Float64Array;
  readonly toPrediction: Float64Array;
}

/**
 * Distances between the surfaces of two regions of one grid, neither of which is empty. Throws WorkError when
 * both are.
 * @param size voxels of the volume
 * @param spacing mm along [x, y, z]
 */
export function surfaceDistances(
  prediction: Runs,
  reference: Runs,
  size: Triple,
  spacing: Triple,
): SurfaceDistances {
  const rows = size[1];
  const box = boxAround([prediction, reference], rows);
  if (!box) throw new WorkError('distances between surfaces need a region that is not empty');
  const [predicted, present] = [surfaceVoxels(prediction, box, rows), surfaceVoxels(reference, box, rows)];
  const scratch = new Uint32Array(box.size[0] * box.size[1] * box.size[2]);
  const directed = (from: Int32Array, to: Int32Array) =>
    squaredDistances(box.size, to, from, spacing, scratch).map(Math.sqrt).sort();
  return { toReference: directed(predicted, present), toPrediction: directed(present, predicted) };
}

/** The larger of the two directed 95th percentiles (linear interpolation), in mm: MONAI's definition. */
export function hausdorff95({ toReference, toPrediction }: SurfaceDistances): number {
  return Math.max(percentile(toReference, 95), percentile(toPrediction, 95));
}

/** Mean over the surface voxels of both sides, in mm: MONAI's symmetric average surface distance. */
export function averageSurfaceDistance({ toReference, toPrediction }: SurfaceDistances): number {
  const sum = (distances: Float64Array) => distances.reduce((total, distance) => total + distance, 0);
  return (sum(toReference) + sum(toPrediction)) / (toReference.length + toPrediction.length);
}

/** Spacings come from headers in float32, so that three voxels of "0.7" mm lie a little beyond 2.1 mm. */
const headerRounding = 1 + 1e-6;

/**
 * Share of the surface voxels of both sides that lie within a tolerance of the other side (Nikolov et al.
 * 2018, counting voxels as MONAI does).
 */
export function normalisedSurfaceDice(
  { toReference, toPrediction }: SurfaceDistances,
  toleranceMm: number,
): number {
  const within = (distances: Float64Array) => countUpTo(distances, toleranceMm * headerRounding);
  return (within(toReference) + within(toPrediction)) / (toReference.length + toPrediction.length);
}

/** How many of ascending values are at most `limit`. */
function countUpTo(ascending: Float64Array, limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (doubleAt(ascending, middle) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
