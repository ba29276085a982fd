import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  permuteRows,
  resizeTrilinear,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor5D,
  tf,
} from '../../../src/engine/index.js';
import { computed, engines, normals } from '../computed.js';

describe.each(engines)('rearrangement, %s', (engine) => {
  it('puts rows in an order that is fed, and their gradients back in theirs', async () => {
    const x = normals([5, 3], 1);
    const weights = normals([5, 3], 2);
    const order = [3, 0, 4, 1, 2];
    const places = [1, 3, 4, 0, 2];
    const { y, dx } = await computed(
      engine,
      ({ x: input, weights: w, order: o, places: p }) => {
        const permuted = (rows: Tensor) =>
          permuteRows(rows as Tensor2D, o!.cast('int32') as Tensor1D, p!.cast('int32') as Tensor1D);
        return { y: permuted(input!), dx: tf.grad((rows: Tensor) => permuted(rows).mul(w!).sum())(input!) };
      },
      {
        x,
        weights,
        order: { shape: [5], data: Float32Array.from(order) },
        places: { shape: [5], data: Float32Array.from(places) },
      },
    );
    const rowsOf = (data: Float32Array, rows: readonly number[]) =>
      rows.flatMap((row) => Array.from(data.slice(3 * row, 3 * row + 3)));
    expect(Array.from(y!)).toEqual(rowsOf(x.data, order));
    expect(Array.from(dx!)).toEqual(rowsOf(weights.data, places));
  });

  it('resizes a ramp to the ramp of half-voxel centres, level at the ends', async () => {
    const size = fc.integer({ min: 2, max: 6 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(size, size, size), fc.tuple(size, size, size), async (from, to) => {
        const ramp = (d: number, h: number, w: number) => 2 * d - 3 * h + 0.5 * w + 1;
        const [depth, height, width] = from;
        const data = Float32Array.from({ length: depth * height * width }, (_, i) =>
          ramp(Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width),
        );
        const x = { shape: [1, ...from, 1], data };
        const { y } = await computed(
          engine,
          ({ x: input }) => ({ y: resizeTrilinear(input as Tensor5D, to) }),
          { x },
        );
        const source = (i: number, axis: 0 | 1 | 2) =>
          Math.min(from[axis] - 1, Math.max(0, ((i + 0.5) * from[axis]) / to[axis] - 0.5));
        for (const [i, value] of (y as Float32Array).entries()) {
          const expected = ramp(
            source(Math.floor(i / (to[1] * to[2])), 0),
            source(Math.floor(i / to[2]) % to[1], 1),
            source(i % to[2], 2),
          );
          expect(Math.abs(value - expected)).toBeLessThan(1e-5); // float32 sums of values up to 20
        }
      }),
      { numRuns: 25 },
    );
  });
});
