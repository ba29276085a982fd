import { DataError, WorkError } from '../errors.js';
import { AXES, mapAxes, type Triple } from './triple.js';

/** Twelve numbers, the upper three rows of a 4x4 matrix, row-major: voxel index `[x, y, z, 1]` to RAS mm. */
export interface Affine {
  readonly rows: readonly number[];
}

/** The affine of a grid with axes along RAS. */
export function axisAlignedAffine(spacing: Triple, origin: Triple = [0, 0, 0]): Affine {
  const [sx, sy, sz] = spacing;
  return { rows: [sx, 0, 0, origin[0], 0, sy, 0, origin[1], 0, 0, sz, origin[2]] };
}

/** What one RAS coordinate takes of each voxel axis, and its offset in mm. */
export type AffineRow = readonly [x: number, y: number, z: number, offset: number];

/** The three rows of an affine: of R, A and S. Throws WorkError unless it has twelve numbers. */
export function affineRows({ rows }: Affine): readonly [AffineRow, AffineRow, AffineRow] {
  if (!isTwelve(rows)) {
    throw new WorkError(`an affine has ${rows.length} numbers; expected 12, three rows of four`, {
      found: rows,
    });
  }
  const [a, b, c, tx, d, e, f, ty, g, h, i, tz] = rows;
  return [
    [a, b, c, tx],
    [d, e, f, ty],
    [g, h, i, tz],
  ];
}

type Twelve = readonly [...AffineRow, ...AffineRow, ...AffineRow];

const isTwelve = (rows: readonly number[]): rows is Twelve => rows.length === 12;

/** RAS mm of a voxel index, which may be fractional. */
export function applyAffine(affine: Affine, [x, y, z]: Triple): Triple {
  return mapAxes(affineRows(affine), ([a, b, c, offset]) => a * x + b * y + c * z + offset);
}

/** mm along each voxel axis: the lengths of the affine's columns. */
export function spacingOf(affine: Affine): Triple {
  const [r, a, s] = affineRows(affine);
  return mapAxes(AXES, (column) => Math.hypot(r[column], a[column], s[column]));
}

/** `first` after `second`: x -> first(second(x)). */
export function composeAffines(first: Affine, second: Affine): Affine {
  const [r, a, s] = affineRows(second);
  const columns = [0, 1, 2, 3] as const;
  const row = ([x, y, z, offset]: AffineRow) =>
    columns.map((column) => (column === 3 ? offset : 0) + x * r[column] + y * a[column] + z * s[column]);
  return { rows: affineRows(first).flatMap(row) };
}

/** The inverse transform. Throws DataError when the axes do not span space. */
export function invertAffine(affine: Affine): Affine {
  const [[a, b, c, tx], [d, e, f, ty], [g, h, i, tz]] = affineRows(affine);
  const determinant = affineDeterminant(affine);
  const scale = spacingOf(affine).reduce((product, n) => product * n, 1); // as in checkAffine, whose affines all have an inverse
  if (!(Math.abs(determinant) > 1e-9 * scale)) {
    throw new DataError('the affine is singular: its axes do not span space', {
      field: 'affine',
      found: affine.rows,
    });
  }
  const cofactors: readonly Triple[] = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  return {
    rows: cofactors.flatMap((row) => {
      const [x, y, z] = mapAxes(row, (cofactor) => cofactor / determinant);
      return [x, y, z, -(x * tx + y * ty + z * tz)];
    }),
  };
}

/** Determinant of the 3x3 part; negative for a left-handed grid. */
export function affineDeterminant(affine: Affine): number {
  const [[a, b, c], [d, e, f], [g, h, i]] = affineRows(affine);
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

/** Distances between voxels that a scan can have, mm: beyond them the sums of an affine lose its axes. */
export const leastSpacing = 1e-9;
export const mostSpacing = 1e9;
/** As far as the first voxel can be from the origin of the world, mm. */
const mostOffset = 1e12;

/**
 * Refuses an affine that is no grid in space.
 * @param remedy what to do about it, the end of the sentence
 * @throws DataError when a number is not finite or beyond all scans, or the axes do not span space
 */
export function checkAffine(affine: Affine, file: string, remedy: string): void {
  const refuse = (is: string, expected: string) => {
    const numbers = affine.rows.map((n) => Number(n.toPrecision(4))).join(', ');
    throw new DataError(`${file}: the affine [${numbers}] ${is}; expected ${expected}, so ${remedy}`, {
      file,
      field: 'affine',
      found: affine.rows,
    });
  };
  const independent = () => refuse('is singular', 'three independent axes');
  const spacing = spacingOf(affine);
  if (!affine.rows.every(Number.isFinite) || spacing.includes(0)) independent();
  if (spacing.some((mm) => mm < leastSpacing || mm > mostSpacing))
    refuse('has voxels too near or too far apart', `${leastSpacing} to ${mostSpacing} mm`);
  if (affineRows(affine).some((row) => Math.abs(row[3]) > mostOffset))
    refuse('has an origin that is too far away', `${mostOffset} mm at most`);
  const directions = directionsOf(affine).flatMap((row) => [...row, 0]);
  if (!(Math.abs(affineDeterminant({ rows: directions })) > 1e-4)) independent();
}

/** The same axes with the voxel at `start` as the first one. */
export function shiftAffine(affine: Affine, start: Triple): Affine {
  const origin = applyAffine(affine, start);
  return { rows: mapAxes(affineRows(affine), ([x, y, z], axis) => [x, y, z, origin[axis]]).flat() };
}

/** The same origin and directions with other distances between voxels, mm. */
export function respaceAffine(affine: Affine, spacing: Triple): Affine {
  const present = spacingOf(affine);
  const row = (values: AffineRow) => [
    ...mapAxes(AXES, (axis) => (values[axis] * spacing[axis]) / present[axis]),
    values[3],
  ];
  return { rows: affineRows(affine).flatMap(row) };
}

/** The affine's axes, each of length 1, by rows. */
function directionsOf(affine: Affine): [Triple, Triple, Triple] {
  const spacing = spacingOf(affine);
  return mapAxes(affineRows(affine), (row) => mapAxes(AXES, (column) => row[column] / spacing[column]));
}

/** The rotation nearest to the affine's directions (polar decomposition by Newton's iteration), by rows. */
export function nearestRotation(affine: Affine): readonly [Triple, Triple, Triple] {
  let matrix = directionsOf(affine);
  for (let iteration = 0; iteration < 30; iteration++) {
    const inverse = affineRows(invertAffine({ rows: matrix.flatMap((row) => [...row, 0]) }));
    matrix = mapAxes(matrix, (values, row) =>
      mapAxes(values, (value, column) => (value + inverse[column][row]) / 2),
    );
  }
  return matrix;
}
