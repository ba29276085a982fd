import { floatAt, intAt, itemAt } from '../at.js';
import type { AxisWeights, Interpolation } from './interpolation.js';
import type { Axis, Triple } from './triple.js';
import { arrayLike, type VoxelArray } from './volume.js';

/**
 * One axis as a small matrix product; runs along x stay contiguous for the other axes.
 * @param size of `data` now, `[x, y, z]`
 * @param into an array of the result's type and length to fill and return; absent: a new one
 * @param lines along x, the only ones that are looked at when `axis` is 0; the others of `into` stay as they
 * are. Absent: all
 * @returns the type of `data` for nearest, else float32
 */
export function resampleAxis(
  data: VoxelArray,
  size: Triple,
  channels: number,
  axis: Axis,
  { taps, indices, weights }: AxisWeights,
  mode: Interpolation,
  into?: VoxelArray,
  lines?: Int32Array,
): VoxelArray {
  const outputs = indices.length / taps;
  const inner = size.slice(0, axis).reduce((a, b) => a * b, 1);
  const outer = size.slice(axis + 1).reduce((a, b) => a * b, 1) * channels;
  const length = size[axis];
  const total = inner * outputs * outer;
  const result = into ?? (mode === 'nearest' ? arrayLike(data, total) : new Float32Array(total));
  if (inner === 1) {
    for (let k = 0; k < (lines?.length ?? outer); k++) {
      const line = lines ? intAt(lines, k) : k;
      sampleLine(data, length * line, { taps, indices, weights }, result, outputs * line);
    }
    return result;
  }
  const parts = new Array<VoxelArray>(taps).fill(data);
  const starts = new Int32Array(taps);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < outputs; i++) {
      for (let tap = 0; tap < taps; tap++)
        starts[tap] = inner * (intAt(indices, i * taps + tap) + length * o);
      addWeighed(parts, starts, weights, i * taps, result, inner * (i + outputs * o), inner);
    }
  }
  return result;
}

/**
 * The weighed sum of runs of one length, rounded to the type of `result` after each term; those without
 * weight count for nothing.
 * @param starts where the run of each part begins
 * @param first the weight of the first part; those of the others follow it
 * @param to where the sum begins in `result`
 */
export function addWeighed(
  parts: readonly VoxelArray[],
  starts: Int32Array,
  weights: Float32Array,
  first: number,
  result: VoxelArray,
  to: number,
  length: number,
): void {
  let [used, low, high] = [0, -1, -1]; // how many have weight, the first and the last of them
  for (let tap = 0; tap < parts.length; tap++) {
    if (weights[first + tap] === 0) continue;
    used++;
    if (low === -1) low = tap;
    high = tap;
  }
  if (used === 1 && weights[first + low] === 1) {
    const start = intAt(starts, low);
    result.set(itemAt(parts, low).subarray(start, start + length), to);
  } else if (used === 2) {
    const [a, b] = [itemAt(parts, low), itemAt(parts, high)];
    const [fromA, fromB] = [intAt(starts, low), intAt(starts, high)];
    const [weightA, weightB] = [floatAt(weights, first + low), floatAt(weights, first + high)];
    addTwo(a, fromA, weightA, b, fromB, weightB, result, to, length);
  } else {
    result.fill(0, to, to + length);
    for (let tap = 0; tap < parts.length; tap++) {
      const [part, start, weight] = [itemAt(parts, tap), intAt(starts, tap), floatAt(weights, first + tap)];
      if (weight !== 0) for (let k = 0; k < length; k++) result[to + k]! += weight * part[start + k]!;
    }
  }
}

function addTwo(
  a: VoxelArray,
  fromA: number,
  weightA: number,
  b: VoxelArray,
  fromB: number,
  weightB: number,
  result: VoxelArray,
  to: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    result[to + k] = Math.fround(weightA * a[fromA + k]!) + weightB * b[fromB + k]!;
  }
}

/**
 * The same along contiguous values, which are gathered. Reads without checks: with them it takes 5 to
 * 10 % longer.
 */
function sampleLine(
  data: VoxelArray,
  from: number,
  { taps, indices, weights }: AxisWeights,
  result: VoxelArray,
  to: number,
): void {
  const outputs = indices.length / taps;
  if (taps === 1) {
    for (let i = 0; i < outputs; i++) result[to + i] = data[from + indices[i]!]!;
  } else {
    for (let i = 0; i < outputs; i++) {
      const first = Math.fround(weights[2 * i]! * data[from + indices[2 * i]!]!);
      result[to + i] = first + weights[2 * i + 1]! * data[from + indices[2 * i + 1]!]!;
    }
  }
}
