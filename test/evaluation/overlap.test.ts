import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlaps } from '../../src/evaluation/overlap.js';
import type { Triple } from '../../src/volume/index.js';

const regions = [[1], [2, 4], [1, 2, 4]];
const side = fc.integer({ min: 1, max: 21 });
/** Labels of long runs, as labels are, of some values that no region has. */
const labelsOf = (voxels: number) =>
  fc
    .array(fc.tuple(fc.constantFrom(0, 0, 1, 2, 3, 4), fc.integer({ min: 1, max: 30 })), {
      minLength: 1,
      maxLength: 2 + Math.ceil(voxels / 8),
    })
    .map((runs) =>
      Array.from(
        { length: voxels },
        (
          (values) => (_: unknown, i: number) =>
            values[i] ?? 0
        )(runs.flatMap(([value, n]) => Array(n).fill(value))),
      ),
    );
const pairs = fc.tuple(side, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })).chain((size) => {
  const voxels = size[0] * size[1] * size[2];
  return fc.tuple(fc.constant(size as Triple), labelsOf(voxels), labelsOf(voxels));
});

describe('what regions take up in two label volumes', () => {
  it.each([Uint8Array, Uint16Array])(
    'is what a count of every voxel finds, and its runs are its voxels, in %o',
    (ArrayType) => {
      fc.assert(
        fc.property(pairs, fc.nat({ max: 3 }), ([size, prediction, reference], shift) => {
          // A volume may begin anywhere in a larger buffer, as those read from files do.
          const within = (values: readonly number[]) =>
            ArrayType.from([...Array(shift).fill(1), ...values]).subarray(shift);
          const found = overlaps(size, within(prediction), within(reference), regions);
          regions.forEach((values, i) => {
            const [inPrediction, inReference] = [prediction, reference].map((labels) =>
              labels.map((value) => values.includes(value)),
            ) as [boolean[], boolean[]];
            const count = (inside: (k: number) => boolean) => prediction.filter((_, k) => inside(k)).length;
            expect(found[i]).toMatchObject({
              predicted: count((k) => inPrediction[k]!),
              present: count((k) => inReference[k]!),
              both: count((k) => inPrediction[k]! && inReference[k]!),
            });
            expect(voxelsOf(found[i]!.prediction.values, size[0])).toEqual(
              inPrediction.flatMap((inside, k) => (inside ? [k] : [])),
            );
            expect(voxelsOf(found[i]!.reference.values, size[0])).toEqual(
              inReference.flatMap((inside, k) => (inside ? [k] : [])),
            );
          });
        }),
      );
    },
  );

  it('is the same whatever the ids of the labels are', () => {
    const ids = [0, 4464, 70_000, 182_305_689, 312_782_574];
    fc.assert(
      fc.property(pairs, ([size, prediction, reference]) => {
        const renamed = (values: readonly number[]) => Uint32Array.from(values, (value) => ids[value]!);
        const found = overlaps(
          size,
          renamed(prediction),
          renamed(reference),
          regions.map((values) => values.map((value) => ids[value]!)),
        );
        expect(found).toEqual(
          overlaps(size, Uint8Array.from(prediction), Uint8Array.from(reference), regions),
        );
      }),
    );
  });
});

/** Indices of the voxels of runs, which must not touch. */
function voxelsOf(runs: Int32Array, nx: number): number[] {
  return Array.from({ length: runs.length / 3 }, (_, i) => {
    const [row, from, to] = [...runs.subarray(3 * i, 3 * i + 3)] as [number, number, number];
    if (i > 0 && runs[3 * i - 3] === row) expect(from).toBeGreaterThan(runs[3 * i - 1]! + 1);
    return Array.from({ length: to - from + 1 }, (_, k) => row * nx + from + k);
  }).flat();
}
