import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Made by `test/parity/volume/make_volume_references.py`. */
export const referenceFolder = 'test/parity/volume';

export const referenceFile = (name: string): string => join(referenceFolder, name);

export function readReference<T>(name: string): T {
  return JSON.parse(readFileSync(referenceFile(name), 'utf8')) as T;
}

/** Float32, little-endian, x fastest. */
export function decodeFloats(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return new Float32Array(bytes.buffer);
}

/** The largest difference over the voxels that `counts` keeps. */
export function largestDifference(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  counts: (voxel: number) => boolean = () => true,
): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (counts(i) && !(difference <= largest)) largest = difference; // also for NaN
  }
  return largest;
}

export function rangeOf(values: ArrayLike<number>): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++)
    [low, high] = [Math.min(low, values[i]!), Math.max(high, values[i]!)];
  return high - low;
}
