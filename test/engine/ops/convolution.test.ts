import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conv3d, convTranspose3d, type NamedArray, type Tensor5D } from '../../../src/engine/index.js';
import { computed, engines, normals } from '../computed.js';

const side = fc.integer({ min: 1, max: 5 });
const sides = fc.tuple(side, side, side);
const width = fc.integer({ min: 1, max: 4 });

describe.each(engines)('convolutions, %s', (engine) => {
  it('sums the kernel over each voxel and its neighbours, zeros beyond the border', async () => {
    await fc.assert(
      fc.asyncProperty(sides, width, width, fc.constantFrom(1, 3), async (size, inputs, outputs, k) => {
        const [x, w] = [normals([2, ...size, inputs], 1), normals([k, k, k, inputs, outputs], 2)];
        const { y } = await computed(
          engine,
          ({ x: a, w: b }) => ({ y: conv3d(a as Tensor5D, b as Tensor5D) }),
          { x, w },
        );
        expectNear(y, slowConvolution(x, w));
      }),
      { numRuns: 25 },
    );
  });

  it('is the other way round for the transposed one: <conv(x), y> = <x, transposed(y)> at stride = kernel', async () => {
    await fc.assert(
      fc.asyncProperty(sides, width, width, async ([depth, height, w2], inputs, outputs) => {
        const x = normals([1, 2 * depth, 2 * height, 2 * w2, inputs], 1);
        const [w, y] = [normals([2, 2, 2, inputs, outputs], 2), normals([1, depth, height, w2, outputs], 3)];
        const found = await computed(
          engine,
          ({ x: a, w: b, y: c }) => ({
            forward: conv3d(a as Tensor5D, b as Tensor5D, 2).mul(c as Tensor5D),
            back: convTranspose3d(c as Tensor5D, b as Tensor5D, 2).mul(a as Tensor5D),
          }),
          { x, w, y },
        );
        expect(found.back).toHaveLength(x.data.length);
        const [forward, back] = [found.forward, found.back].map((products) =>
          (products as Float32Array).reduce((sum, value) => sum + value, 0),
        );
        expect(Math.abs((forward as number) - (back as number))).toBeLessThan(1e-5 * x.data.length); // float32 products of values near 1
      }),
      { numRuns: 25 },
    );
  });
});

function expectNear(found: Float32Array | undefined, expected: Float64Array): void {
  expect(found).toHaveLength(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0.1);
  const error = expected.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (found?.[i] as number))),
    0,
  );
  expect(error / largest).toBeLessThan(1e-6); // float32: sums of up to 108 products
}

/** Voxel by voxel in double precision. */
function slowConvolution(x: NamedArray, w: NamedArray): Float64Array {
  const [batch, depth, height, width, inputs] = x.shape as [number, number, number, number, number];
  const [k, , , , outputs] = w.shape as [number, number, number, number, number];
  const y = new Float64Array(batch * depth * height * width * outputs);
  const reach = (k - 1) / 2;
  const inside = (p: number, length: number) => p >= 0 && p < length;
  let at = 0;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let v = 0; v < width; v++)
          for (let o = 0; o < outputs; o++, at++)
            for (let tap = 0; tap < k ** 3; tap++) {
              const [i, j, l] = [
                d + Math.floor(tap / k / k) - reach,
                h + (Math.floor(tap / k) % k) - reach,
                v + (tap % k) - reach,
              ];
              if (!inside(i, depth) || !inside(j, height) || !inside(l, width)) continue;
              for (let c = 0; c < inputs; c++) {
                const value = x.data[(((b * depth + i) * height + j) * width + l) * inputs + c] as number;
                y[at]! += value * (w.data[(tap * inputs + c) * outputs + o] as number);
              }
            }
  return y;
}
