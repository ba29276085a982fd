import { doubleAt } from '../at.js';
import type { RandomStream } from '../random/streams.js';
import type { Crop } from './crop.js';
import { type SpareArrays, spareArrays } from './spare-arrays.js';

/** Two inner control points and whether the curve falls: a map of [0, 1] onto itself. */
export interface IntensityCurve {
  readonly first: readonly [x: number, y: number];
  readonly second: readonly [x: number, y: number];
  readonly falling: boolean;
}

/** Points that the curve is tabulated at; between them it is a line. */
const POINTS = 10_001;

/** Control points uniform in the unit square; half of the curves fall. */
export function drawIntensityCurve(stream: RandomStream): IntensityCurve {
  const point = (): [number, number] => [stream.uniform(), stream.uniform()];
  return { first: point(), second: point(), falling: stream.uniform() < 0.5 };
}

/**
 * Non-linear intensity transformation of Models Genesis (Zhou et al. 2019): every value goes through a cubic
 * Bezier curve from (0, 0) to (1, 1), or, falling, from (0, 1) to (1, 0). With control points in the unit
 * square both coordinates grow with the parameter, so that the curve is a function; values outside [0, 1] get
 * its ends.
 */
export function nonlinearIntensity(
  { data, size, channels }: Crop,
  { first, second, falling }: IntensityCurve,
  spare: SpareArrays = spareArrays(data.length),
): Crop {
  const xs = tabulate(first[0], second[0]);
  const rising = tabulate(first[1], second[1]);
  const ys = falling ? rising.reverse() : rising;
  const bent = spare.take();
  mapValues(data, xs, ys, bent);
  return { data: bent, size, channels };
}

/** One coordinate of the cubic Bezier curve with ends 0 and 1, at evenly spaced parameters. */
function tabulate(first: number, second: number): Float64Array {
  const values = new Float64Array(POINTS);
  for (let i = 0; i < POINTS; i++)
    values[i] = weights.first[i]! * first + weights.second[i]! * second + weights.end[i]!;
  return values;
}

const atPoints = (of: (t: number) => number): Float64Array =>
  Float64Array.from({ length: POINTS }, (_, i) => of(i / (POINTS - 1)));

/** How much each point of the curve has of the two inner control points and of its end, the same for all curves. */
const weights = {
  first: atPoints((t) => 3 * (1 - t) ** 2 * t),
  second: atPoints((t) => 3 * (1 - t) * t ** 2),
  end: atPoints((t) => t ** 3),
};

/** Parts of [0, 1] that the search for a value begins in; a power of 2, so that no rounding moves a value. */
const PARTS = 2 ** 16;

/**
 * Puts each value on the lines between the points `xs`, `ys`, of which
 * `xs` ascends from 0 to 1; beyond them, the first or last of `ys`.
 */
function mapValues(values: Float32Array, xs: Float64Array, ys: Float64Array, result: Float32Array): void {
  const firstX = doubleAt(xs, 0);
  const lastX = doubleAt(xs, POINTS - 1);
  const firstY = doubleAt(ys, 0);
  const lastY = doubleAt(ys, POINTS - 1);
  const starts = partStarts(xs);
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!; // checked readings take a tenth longer in this loop
    if (x <= firstX) {
      result[i] = firstY;
      continue;
    }
    if (x >= lastX) {
      result[i] = lastY;
      continue;
    }
    const part = Math.floor(x * PARTS);
    let low = starts[part]!;
    let high = starts[part + 1]! + 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle]! <= x) low = middle;
      else high = middle;
    }
    const x0 = xs[low]!;
    const y0 = ys[low]!;
    result[i] = y0 + ((x - x0) / (xs[high]! - x0)) * (ys[high]! - y0);
  }
}

/** For each part's lower end, and for 1, the last point before the end at most: where a search begins and ends. */
function partStarts(xs: Float64Array): Int32Array {
  const starts = new Int32Array(PARTS + 1);
  let point = 0;
  for (let part = 0; part <= PARTS; part++) {
    while (point < POINTS - 2 && doubleAt(xs, point + 1) <= part / PARTS) point++;
    starts[part] = point;
  }
  return starts;
}
