import { doubleAt } from '../at.js';

/**
 * How values between voxels are found. `cubic` is the cubic B-spline that passes through the voxels, as
 * SciPy's and ITK's order 3.
 */
export type Interpolation = 'linear' | 'nearest' | 'cubic';

/** For each output of one axis: `taps` input indices and their weights, laid one after another. */
export interface AxisWeights {
  readonly taps: number;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
}

/**
 * Weights for sampling an axis of `length` voxels at `positions` (voxel units); beyond the ends the last
 * voxel counts on.
 */
export function axisWeights(length: number, positions: Float64Array, mode: Interpolation): AxisWeights {
  const taps = mode === 'nearest' ? 1 : mode === 'linear' ? 2 : 4;
  const indices = new Int32Array(positions.length * taps);
  const weights = new Float32Array(positions.length * taps);
  positions.forEach((position, i) => {
    const at = Math.min(length - 1, Math.max(0, position));
    if (mode === 'nearest') {
      indices[i] = Math.min(length - 1, Math.floor(at + 0.5));
      weights[i] = 1;
    } else if (mode === 'linear') {
      const low = Math.min(length - 1, Math.floor(at));
      // what has no weight is not looked at, as it may be no number
      indices.set([low, at === low ? low : Math.min(length - 1, low + 1)], 2 * i);
      weights.set([1 - (at - low), at - low], 2 * i);
    } else {
      const low = Math.floor(at);
      indices.set(
        [-1, 0, 1, 2].map((tap) => mirror(low + tap, length)),
        4 * i,
      );
      weights.set(cubicWeights(at - low), 4 * i);
    }
  });
  return { taps, indices, weights };
}

/** The cubic B-spline's weights of the voxels at -1, 0, 1 and 2 for a point at `t` in [0, 1). */
export function cubicWeights(t: number): [number, number, number, number] {
  const u = 1 - t;
  return [(u * u * u) / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * u * u + 3 * u * u * u) / 6, (t * t * t) / 6];
}

/** The index reflected into 0..length-1 about the first and last voxel. */
export function mirror(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const wrapped = ((index % period) + period) % period;
  return wrapped < length ? wrapped : period - wrapped;
}

/**
 * B-spline coefficients along one line, in place, so that the spline passes through the values: a causal and
 * an anti-causal recursion with mirrored ends (Unser, Aldroubi and Eden 1993).
 */
export function splineCoefficients(line: Float64Array): void {
  const n = line.length;
  if (n === 1) return;
  const pole = Math.sqrt(3) - 2;
  for (let i = 0; i < n; i++) line[i] = 6 * doubleAt(line, i);
  let first = doubleAt(line, 0);
  const horizon = Math.min(n, 30); // pole^30 is below 1e-17
  if (horizon < n) for (let i = 1, z = pole; i < horizon; i++, z *= pole) first += z * doubleAt(line, i);
  else first = exactFirst(line, pole);
  line[0] = first;
  for (let i = 1; i < n; i++) line[i] = doubleAt(line, i) + pole * doubleAt(line, i - 1);
  line[n - 1] = (pole / (pole * pole - 1)) * (doubleAt(line, n - 1) + pole * doubleAt(line, n - 2));
  for (let i = n - 2; i >= 0; i--) line[i] = pole * (doubleAt(line, i + 1) - doubleAt(line, i));
}

/** The mirrored geometric sum in closed form, for lines too short to cut it off. */
function exactFirst(line: Float64Array, pole: number): number {
  const n = line.length;
  const inverse = 1 / pole;
  let z = pole;
  let last = pole ** (n - 1);
  let sum = doubleAt(line, 0) + last * doubleAt(line, n - 1);
  last = last * last * inverse;
  for (let i = 1; i < n - 1; i++, z *= pole, last *= inverse) sum += (z + last) * doubleAt(line, i);
  return sum / (1 - z * z);
}
