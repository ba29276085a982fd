import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { type EvaluatedClass, type Mask, squaredDistances } from '../../src/evaluation/index.js';
import { type Overlap, overlaps } from '../../src/evaluation/overlap.js';
import { surfaceVoxels } from '../../src/evaluation/surface.js';
import { axisAlignedAffine, type Triple, type Volume } from '../../src/volume/index.js';

/** Made by `test/parity/evaluation/make_evaluation_references.py`. */
export function readCases<T>(name: string): readonly T[] {
  return (JSON.parse(readFileSync(`test/parity/evaluation/${name}`, 'utf8')) as { cases: T[] }).cases;
}

export interface MetricsCase {
  readonly name: string;
  readonly size: Triple;
  readonly spacing: Triple;
  readonly classes: readonly EvaluatedClass[];
  readonly prediction: string;
  readonly reference: string;
  readonly scores: Readonly<
    Record<
      string,
      { readonly dice: number | null; readonly hd95: number | null; readonly hd95Exact: number | null }
    >
  >;
}

export interface DistancesCase {
  readonly name: string;
  readonly size: Triple;
  readonly spacing: Triple;
  readonly seeds: string;
  readonly distances: string;
}

/** Little-endian bytes, x fastest, deflated, base64. */
export const decodeBytes = (base64: string): Uint8Array =>
  Uint8Array.from(inflateSync(Buffer.from(base64, 'base64')));

export const decodeDoubles = (base64: string): Float64Array => new Float64Array(decodeBytes(base64).buffer);

/** A label volume in RAS from its values, x fastest. */
export function labelVolume(size: Triple, data: Uint8Array, spacing: Triple = [1, 1, 1]): Volume {
  return { size, spacing, affine: axisAlignedAffine(spacing), channels: 1, data };
}

/** A mask of 1 where `inside` holds. */
export function maskOf(size: Triple, inside: (x: number, y: number, z: number) => boolean): Mask {
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  let i = 0;
  for (let z = 0; z < size[2]; z++)
    for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[0]; x++) data[i++] = Number(inside(x, y, z));
  return { size, data };
}

/** Squared distances of all voxels to the nearest seed. */
export function squaredDistanceMap(size: Triple, seeds: readonly number[], spacing: Triple): Float64Array {
  const all = Int32Array.from({ length: size[0] * size[1] * size[2] }, (_, i) => i);
  return squaredDistances(size, Int32Array.from(seeds), all, spacing);
}

/** Indices of a mask's surface in its array. */
export function surfaceOf({ size, data }: Mask): number[] {
  const [{ reference }] = overlaps(size, data, data, [[1]]) as [Overlap];
  return [...surfaceVoxels(reference, { start: [0, 0, 0], size }, size[1])];
}
