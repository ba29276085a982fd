import { DataError } from '../errors.js';
import type { Triple } from './triple.js';

/** Twelve numbers, the upper three rows of a 4x4 matrix, row-major: voxel index `[x, y, z, 1]` to RAS mm. */
export interface Affine {
  readonly rows: readonly number[];
}

/** The affine of a grid with axes along RAS. */
export function axisAlignedAffine(spacing: Triple, origin: Triple = [0, 0, 0]): Affine {
  const [sx, sy, sz] = spacing;
  return { rows: [sx, 0, 0, origin[0], 0, sy, 0, origin[1], 0, 0, sz, origin[2]] };
}

/** RAS mm of a voxel index, which may be fractional. */
export function applyAffine({ rows }: Affine, [x, y, z]: Triple): Triple {
  const at = (row: number) => rows[row]! * x + rows[row + 1]! * y + rows[row + 2]! * z + rows[row + 3]!;
  return [at(0), at(4), at(8)];
}

/** mm along each voxel axis: the lengths of the affine's columns. */
export function spacingOf({ rows }: Affine): Triple {
  const length = (column: number) => Math.hypot(rows[column]!, rows[4 + column]!, rows[8 + column]!);
  return [length(0), length(1), length(2)];
}

/** `first` after `second`: x -> first(second(x)). */
export function composeAffines(first: Affine, second: Affine): Affine {
  const rows: number[] = [];
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 4; j++) {
      let sum = j === 3 ? first.rows[4 * i + 3]! : 0;
      for (let k = 0; k < 3; k++) sum += first.rows[4 * i + k]! * second.rows[4 * k + j]!;
      rows.push(sum);
    }
  }
  return { rows };
}

/** The inverse transform. Throws DataError when the axes do not span space. */
export function invertAffine({ rows }: Affine): Affine {
  const [a, b, c, tx, d, e, f, ty, g, h, i, tz] = rows as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const determinant = affineDeterminant({ rows });
  const scale = Math.max(...spacingOf({ rows })) ** 3;
  if (!(Math.abs(determinant) > 1e-9 * scale))
    throw new DataError('the affine is singular: its axes do not span space', { field: 'affine', found: rows });
  const inverse = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ].map((cofactor) => cofactor / determinant);
  const translation = [0, 3, 6].map((row) => -(inverse[row]! * tx + inverse[row + 1]! * ty + inverse[row + 2]! * tz));
  return { rows: [0, 1, 2].flatMap((row) => [...inverse.slice(3 * row, 3 * row + 3), translation[row]!]) };
}

/** Determinant of the 3x3 part; negative for a left-handed grid. */
export function affineDeterminant({ rows }: Affine): number {
  const [a, b, c, , d, e, f, , g, h, i] = rows as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

/**
 * Refuses an affine that is no grid in space.
 * @param remedy what to do about it, the end of the sentence
 * @throws DataError when a number is not finite or the axes do not span space
 */
export function checkAffine(affine: Affine, file: string, remedy: string): void {
  const scale = spacingOf(affine).reduce((product, n) => product * n, 1);
  if (affine.rows.every(Number.isFinite) && scale > 0 && Math.abs(affineDeterminant(affine)) > 1e-4 * scale) return;
  throw new DataError(
    `${file}: the affine [${affine.rows.map((n) => Number(n.toPrecision(4))).join(', ')}] is singular; expected three independent axes, so ${remedy}`,
    { file, field: 'affine', found: affine.rows },
  );
}

/** The same axes with the voxel at `start` as the first one. */
export function shiftAffine(affine: Affine, start: Triple): Affine {
  const origin = applyAffine(affine, start);
  return { rows: affine.rows.map((value, i) => (i % 4 === 3 ? origin[(i - 3) / 4]! : value)) };
}

/** The same origin and directions with other distances between voxels, mm. */
export function respaceAffine(affine: Affine, spacing: Triple): Affine {
  const present = spacingOf(affine);
  return { rows: affine.rows.map((value, i) => (i % 4 === 3 ? value : (value * spacing[i % 4]!) / present[i % 4]!)) };
}

/** The rotation nearest to the affine's directions (polar decomposition by Newton's iteration), nine numbers row-major. */
export function nearestRotation(affine: Affine): number[] {
  const spacing = spacingOf(affine);
  let matrix = [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => affine.rows[4 * row + column]! / spacing[column]!));
  for (let iteration = 0; iteration < 30; iteration++) {
    const inverse = invertAffine({ rows: [0, 1, 2].flatMap((row) => [...matrix.slice(3 * row, 3 * row + 3), 0]) }).rows;
    matrix = matrix.map((value, i) => (value + inverse[4 * (i % 3) + Math.floor(i / 3)]!) / 2); // with the inverse's transpose
  }
  return matrix;
}
