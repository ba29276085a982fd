import { DataError } from '../../errors.js';
import {
  AXES,
  type Axis,
  applyAffine,
  closestToRas,
  composeAffines,
  type Grid,
  invertAffine,
  mapAxes,
  type Triple,
} from '../../volume/index.js';

/**
 * How far the corners of two grids may lie apart, in voxels:
 * headers round differently, grids that differ differ by more.
 */
const toleranceVoxels = 0.05;

/**
 * Refuses two volumes that do not lie voxel on voxel: other sizes, or corners at other places.
 * @param role what `other` is, for the sentence: "label", "channel 2"
 * @param referenceRole what `reference` is to it
 * @throws DataError naming both files, what was found and what was expected
 */
export function requireSameGrid(
  reference: Grid,
  referenceFile: string,
  other: Grid,
  otherFile: string,
  role: string,
  referenceRole = 'image',
): void {
  const difference = gridDifference(reference, referenceFile, other, otherFile, role, referenceRole);
  if (difference) throw difference;
}

/** What `requireSameGrid` throws; undefined when the volumes lie voxel on voxel. */
export function gridDifference(
  reference: Grid,
  referenceFile: string,
  other: Grid,
  otherFile: string,
  role: string,
  referenceRole: string,
): DataError | undefined {
  if (other.size.some((n, axis) => n !== reference.size[axis])) {
    return new DataError(
      `${role} ${otherFile} has ${other.size.join('x')} voxels, but its ${referenceRole} ${referenceFile} has ` +
        `${reference.size.join('x')}: they must share one grid`,
      { file: otherFile, field: 'size', found: other.size, expected: reference.size },
    );
  }
  const apartMm = Math.max(
    ...corners(reference.size).map((corner) =>
      distance(applyAffine(reference.affine, corner), applyAffine(other.affine, corner)),
    ),
  );
  if (apartMm <= toleranceVoxels * Math.min(...reference.spacing)) return undefined;
  return new DataError(
    `${role} ${otherFile} lies elsewhere than its ${referenceRole} ${referenceFile}: ` +
      `the affines put a corner ${apartMm.toFixed(2)} mm apart; they must share one grid`,
    { file: otherFile, field: 'affine', found: other.affine.rows, expected: reference.affine.rows },
  );
}

/**
 * Whether two grids have the same voxels in another order, or the same: each corner of one is a corner of the
 * other, with as many voxels between.
 */
export function sameVoxels(reference: Grid, other: Grid): boolean {
  const toOther = composeAffines(invertAffine(other.affine), reference.affine);
  const ends = corners(reference.size).map((corner) => applyAffine(toOther, corner));
  const isEnd = (at: number, axis: Axis) =>
    [0, other.size[axis] - 1].some((end) => Math.abs(at - end) <= toleranceVoxels);
  const different = (of: readonly Triple[]) =>
    new Set(of.map((corner) => corner.map(Math.round).join())).size;
  // Corners on corners could still be another number of voxels between them, so a step must be a step as
  // well.
  const steps = toOther.rows.filter((_, i) => i % 4 !== 3);
  return (
    steps.every((step) => [-1, 0, 1].some((whole) => Math.abs(step - whole) <= toleranceVoxels)) &&
    ends.every((corner) => mapAxes(corner, isEnd).every((end) => end)) &&
    different(ends) === different(corners(other.size)) &&
    different(ends) === different(corners(reference.size))
  );
}

/** "64x64x20 voxels of 0.8 x 0.8 x 3 mm, axes to RAS, first voxel at [-20, -30, 5] mm" */
export function describeGrid(grid: Grid): string {
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

function corners([nx, ny, nz]: Triple): Triple[] {
  return [0, nx - 1].flatMap((x) => [0, ny - 1].flatMap((y) => [0, nz - 1].map((z): Triple => [x, y, z])));
}

function distance(a: Triple, b: Triple): number {
  return Math.hypot(...mapAxes(a, (value, axis) => value - b[axis]));
}
