import { DataError } from '../../errors.js';
import { applyAffine, mapAxes, type Triple, type Volume } from '../../volume/index.js';

type Grid = Pick<Volume, 'size' | 'spacing' | 'affine'>;

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

function corners([nx, ny, nz]: Triple): Triple[] {
  return [0, nx - 1].flatMap((x) => [0, ny - 1].flatMap((y) => [0, nz - 1].map((z): Triple => [x, y, z])));
}

function distance(a: Triple, b: Triple): number {
  return Math.hypot(...mapAxes(a, (value, axis) => value - b[axis]));
}
