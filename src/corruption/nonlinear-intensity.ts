import { doubleAt } from '../at.js';
import type { RandomStream } from '../random/streams.js';
import type { Crop } from './crop.js';

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
): Crop {
  const xs = tabulate(first[0], second[0]);
  const rising = tabulate(first[1], second[1]);
  const ys = falling ? rising.reverse() : rising;
  const [firstX, lastX, firstY, lastY] = [
    doubleAt(xs, 0),
    doubleAt(xs, POINTS - 1),
    doubleAt(ys, 0),
    doubleAt(ys, POINTS - 1),
  ];
  const curve = (value: number) => {
    if (value <= firstX) return firstY;
    return value >= lastX ? lastY : interpolate(value, xs, ys);
  };
  return { data: data.map(curve), size, channels };
}

/** One coordinate of the cubic Bezier curve with ends 0 and 1, at evenly spaced parameters. */
function tabulate(first: number, second: number): Float64Array {
  return Float64Array.from({ length: POINTS }, (_, i) => {
    const t = i / (POINTS - 1);
    return 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t ** 2 * second + t ** 3;
  });
}

/**
 * The line between the two points around `x`, which lies
 * between the first and the last of `xs`. `xs` ascends.
 */
function interpolate(x: number, xs: Float64Array, ys: Float64Array): number {
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    // A checked reading takes 4 % longer here.
    if (xs[middle]! <= x) low = middle;
    else high = middle;
  }
  const x0 = doubleAt(xs, low);
  const y0 = doubleAt(ys, low);
  return y0 + ((x - x0) / (doubleAt(xs, high) - x0)) * (doubleAt(ys, high) - y0);
}
