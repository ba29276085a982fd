import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Tensor5D, tf } from '../../src/engine/index.js';
import { ShapeError } from '../../src/errors.js';
import { cropTowards, requireMultiples } from '../../src/network/target-region.js';

type Triple = readonly [number, number, number];

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

/** A level of two items and two channels in which every value tells its place. */
const level = (size: Triple): Tensor5D => {
  const length = 2 * size[0] * size[1] * size[2] * 2;
  return tf.tensor5d(
    Float32Array.from({ length }, (_, i) => i),
    [2, ...size, 2],
  );
};

/** A slice of cells by plain loops: of each axis those from `first` on, without the last `last`. */
function cut(size: Triple, first: Triple, last: Triple): number[] {
  const values: number[] = [];
  for (let b = 0; b < 2; b++) {
    for (let z = first[0]; z < size[0] - last[0]; z++) {
      for (let y = first[1]; y < size[1] - last[1]; y++) {
        for (let x = first[2]; x < size[2] - last[2]; x++)
          for (const c of [0, 1]) values.push((((b * size[0] + z) * size[1] + y) * size[2] + x) * 2 + c);
      }
    }
  }
  return values;
}

describe('a level cropped towards the target region', () => {
  it('loses the whole cells that lie beyond it', () => {
    // Cells of 8 voxels: of margins of 8, 20 and 0 before go 1, 2 and 0; of 16, 8 and 23 after go 2, 1 and 2.
    const found = cropTowards(level([5, 6, 4]), 8, { before: [8, 20, 0], after: [16, 8, 23] });
    expect(found.shape).toEqual([2, 2, 3, 2, 2]);
    expect(Array.from(found.dataSync())).toEqual(cut([5, 6, 4], [1, 2, 0], [2, 1, 2]));
  });

  it('loses only the rest where the coarser level that it came from was cropped before', () => {
    // Cells of 4 voxels out of cells of 16: of a margin of 24 the coarse level lost 16, so that 8 are left, two cells; of 12 it lost none.
    const found = cropTowards(level([6, 7, 8]), 4, { before: [24, 12, 0], after: [0, 4, 16] }, 16);
    expect(Array.from(found.dataSync())).toEqual(cut([6, 7, 8], [2, 3, 0], [0, 1, 0]));
  });

  it('is the level itself without margins', () => {
    const whole = level([2, 3, 4]);
    expect(cropTowards(whole, 2, undefined)).toBe(whole);
    expect(cropTowards(whole, 2, { before: [0, 0, 0], after: [0, 0, 0] })).toBe(whole);
    expect(cropTowards(whole, 2, { before: [0, 0, 0], after: [0, 0, 2] }).shape).toEqual([2, 2, 3, 3, 2]);
    expect(cropTowards(whole, 2, { before: [2, 0, 0], after: [0, 0, 0] }).shape).toEqual([2, 1, 3, 4, 2]);
  });

  it('in two steps, coarse then fine, is what one step of the fine level is', () => {
    const margin = fc.integer({ min: 0, max: 6 }).map((n) => 2 * n);
    fc.assert(
      fc.property(fc.tuple(margin, margin, margin), fc.tuple(margin, margin, margin), (before, after) => {
        tf.engine().startScope();
        const whole = level([16, 14, 15]); // cells of 2 voxels, four of which a side are a coarse one
        const once = cropTowards(whole, 2, { before, after });
        const coarse = (margins: Triple) =>
          margins.map((voxels) => 4 * Math.floor(voxels / 8)) as unknown as Triple;
        const [first, last] = [coarse(before), coarse(after)];
        const size = [16, 14, 15].map((n, axis) => n - first[axis]! - last[axis]!);
        const upSampled = tf.slice(whole, [0, ...first, 0], [2, ...size, 2]) as Tensor5D;
        expect(cropTowards(upSampled, 2, { before, after }, 8).dataSync()).toEqual(once.dataSync());
        tf.engine().endScope();
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['all of an axis', { before: [0, 4, 0], after: [0, 2, 0] }, undefined],
    ['more than an axis', { before: [0, 0, 20], after: [0, 0, 0] }, undefined],
    ['a margin below 0 before', { before: [-2, 0, 0], after: [2, 0, 0] }, undefined],
    ['a margin below 0 after', { before: [2, 0, 0], after: [-2, 0, 0] }, undefined],
  ] as const)('cannot lose %s', (_, margins, already) => {
    const body = () => cropTowards(level([4, 3, 5]), 2, margins, already);
    expect(body).toThrow(ShapeError);
    expect(body).toThrow(
      /^the margins \[.*\] and \[.*\] leave nothing of \[2,5,3,4,2\] \(batch, x, y, z, channels\), whose cells are 2 voxels$/,
    );
  });

  it('can be left with a single cell', () => {
    expect(cropTowards(level([4, 3, 5]), 2, { before: [0, 2, 0], after: [0, 2, 0] }).shape).toEqual([
      2, 4, 1, 5, 2,
    ]);
  });
});

describe('margins', () => {
  it('must be whole multiples of what a network can leave out, on both sides of every axis', () => {
    for (const axis of [0, 1, 2]) {
      const at = (voxels: number) =>
        [0, 1, 2].map((other) => (other === axis ? voxels : 0)) as unknown as Triple;
      for (const wrong of [8, 17, -16]) {
        for (const margins of [
          { before: at(wrong), after: at(16) },
          { before: at(16), after: at(wrong) },
        ]) {
          expect(() => requireMultiples(margins, 16)).toThrow(ShapeError);
          expect(() => requireMultiples(margins, 16)).toThrow(
            /^the margins \[.*\] \(x, y, z\) of the target region must be multiples of 16 voxels$/,
          );
        }
      }
      expect(() => requireMultiples({ before: at(16), after: at(32) }, 16)).not.toThrow();
    }
    expect(() => requireMultiples({ before: [0, 0, 0], after: [0, 0, 0] }, 16)).not.toThrow();
    expect(() => requireMultiples(undefined, 16)).not.toThrow();
  });
});
