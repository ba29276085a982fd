import { itemAt } from '../../at.js';

/** Rows of numbers. */
export type Matrix = readonly (readonly number[])[];

/** Outputs along the axis that are computed together. */
export type Tile = 4 | 6;

/** Taps of the filter along the axis. */
const TAPS = 3;

export interface MinimalFiltering {
  readonly tile: Tile;
  /** Products a tile takes, in place of `tile * 3`. */
  readonly products: number;
  /** Of a tile's inputs, [products, tile + 2]. */
  readonly ofInput: Matrix;
  /** Of the filter's taps, [products, 3]. */
  readonly ofFilter: Matrix;
  /** From products to outputs, [tile, products]. */
  readonly toOutput: Matrix;
}

/**
 * The points at which polynomials are multiplied, beside infinity. Of all that were tried these make the
 * least rounding errors: 1.4 and 2.7 times those of a plain sum in float32.
 */
const pointsOf: Readonly<Record<Tile, readonly number[]>> = {
  4: [0, Math.SQRT1_2, -Math.SQRT1_2, Math.SQRT2, -Math.SQRT2],
  6: [0, 0.5, -0.5, 1, -1, 2, -2],
};

/**
 * F(4, 3) or F(6, 3) of Winograd (1980), as Lavin & Gray (2016) use them: the outputs `y[i] = sum_j g[j] d[i
 * + j]` of a filter of three taps as `toOutput ((ofFilter g) * (ofInput d))`, with 6 products in place of 12,
 * or 8 in place of 18. By Toom and Cook, transposed: polynomials are multiplied by their values at as many
 * points, the last of them infinity. The rows of the first two have norm 1.
 */
export function minimalFiltering(tile: Tile): MinimalFiltering {
  const points = pointsOf[tile];
  const powers = (count: number) => [
    ...points.map((point) => Array.from({ length: count }, (_, i) => point ** i)),
    Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0)), // the leading coefficient
  ];
  const input = [...points.map((point) => [...lagrange(points, point), 0]), polynomialOf(points)];
  const outputs = powers(tile); // [products, tile]
  const rows = powers(TAPS).map((filter, p) => {
    const ofInput = itemAt(input, p);
    return {
      filter,
      input: ofInput,
      output: itemAt(outputs, p),
      filterNorm: norm(filter),
      inputNorm: norm(ofInput),
    };
  });
  return {
    tile,
    products: points.length + 1,
    ofFilter: rows.map(({ filter, filterNorm }) => filter.map((value) => value / filterNorm)),
    ofInput: rows.map(({ input: row, inputNorm }) => row.map((value) => value / inputNorm)),
    toOutput: Array.from({ length: tile }, (_, i) =>
      rows.map(({ output, filterNorm, inputNorm }) => itemAt(output, i) * filterNorm * inputNorm),
    ),
  };
}

/** Places along an axis. */
interface Range {
  readonly first: number;
  readonly count: number;
}

export interface StretchMatrices {
  /**
   * From the inputs to the products' operands, [products * tiles, inputs]: all tiles of the first product,
   * then all of the second.
   */
  readonly ofInput: Matrix;
  /** From the products to the outputs, [outputs, products * tiles]. */
  readonly toOutput: Matrix;
  readonly tiles: number;
}

/**
 * The matrices that take all tiles of a stretch of an axis at once, for a filter whose middle tap looks at
 * the output's own place.
 * @param read the inputs that there are; beyond them are zeros
 */
export function stretchMatrices(
  { tile, products, ofInput, toOutput }: MinimalFiltering,
  { written, read }: { readonly written: Range; readonly read: Range },
): StretchMatrices {
  const tiles = Math.ceil(written.count / tile);
  const into = zeros(products * tiles, read.count);
  const out = zeros(written.count, products * tiles);
  for (let t = 0; t < tiles; t++) {
    for (const [p, values] of ofInput.entries()) {
      const row = itemAt(into, p * tiles + t);
      for (const [j, value] of values.entries()) {
        const input = written.first + tile * t + j - 1 - read.first;
        if (input >= 0 && input < read.count) row[input] = value;
      }
    }
    for (const [i, values] of toOutput.slice(0, written.count - tile * t).entries()) {
      const row = itemAt(out, tile * t + i);
      for (const [p, value] of values.entries()) row[p * tiles + t] = value;
    }
  }
  return { ofInput: into, toOutput: out, tiles };
}

/** Coefficients, the constant first, of the polynomial that is 1 at `point` and 0 at the other points. */
function lagrange(points: readonly number[], point: number): number[] {
  const others = points.filter((other) => other !== point);
  const scale = others.reduce((product, other) => product * (point - other), 1);
  return polynomialOf(others).map((coefficient) => coefficient / scale);
}

/** Coefficients, the constant first and the last of them 1, of the polynomial that is 0 at these points. */
function polynomialOf(roots: readonly number[]): number[] {
  let polynomial = [1];
  for (const root of roots)
    polynomial = [0, ...polynomial].map((value, i) => value - root * (polynomial[i] ?? 0));
  return polynomial;
}

/** The matrix with rows and columns exchanged. */
export const transpose = (matrix: Matrix): Matrix =>
  (matrix[0] ?? []).map((_, column) => matrix.map((row) => itemAt(row, column)));

const norm = (row: readonly number[]): number => Math.hypot(...row);

const zeros = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
