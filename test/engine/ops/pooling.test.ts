import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  avgPool3d,
  maxPool3d,
  type NamedArray,
  type Tensor,
  type Tensor5D,
  tf,
} from '../../../src/engine/index.js';
import { computed, engines } from '../computed.js';

/** [B, D, H, W, C] of values with many ties, and with differences far below 1e-5, within which one of TensorFlow's kernels sees ties. */
const volumes = fc
  .tuple(
    fc.integer({ min: 1, max: 2 }),
    ...[2, 2, 2].map((min) => fc.integer({ min, max: 5 })),
    fc.integer({ min: 1, max: 3 }),
  )
  .chain((shape) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const values = fc.array(fc.constantFrom(0, 0.25, 0.25 + 2 ** -24, 0.25 + 2 ** -20, -1, 1), {
      minLength: length,
      maxLength: length,
    });
    return values.map((data): NamedArray => ({ shape, data: Float32Array.from(data) }));
  });

describe.each(engines)('pooling, %s', (engine) => {
  it('gives the largest value of each block, and its gradient to the first voxel that has it', async () => {
    await fc.assert(
      fc.asyncProperty(volumes, async (x) => {
        const shape = pooledShape(x.shape);
        const dy = {
          shape,
          data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
        };
        const step = ({ x: image, dy: slope }: Record<string, unknown>) => ({
          y: maxPool3d(image as Tensor5D),
          dx: tf.grad((z: Tensor) => maxPool3d(z as Tensor5D))(image as Tensor5D, slope as Tensor5D),
        });
        const found = await computed(engine, step, { x, dy });
        const expected = slowMaxPool(x, dy);
        expect(found.y).toEqual(expected.y);
        expect(found.dx).toEqual(expected.dx);
      }),
      { numRuns: 40 },
    );
  });

  it('gives the mean of each block, and an equal share of its gradient to every voxel', async () => {
    const x = { shape: [1, 2, 4, 2, 1], data: Float32Array.from({ length: 16 }, (_, i) => i) };
    const step = ({ x: image }: Record<string, unknown>) => ({
      y: avgPool3d(image as Tensor5D, 2),
      dx: tf.grad((z: Tensor) =>
        avgPool3d(z as Tensor5D, 2)
          .square()
          .sum(),
      )(image as Tensor5D),
    });
    const { y, dx } = await computed(engine, step, { x });
    expect(y).toEqual(Float32Array.of(5.5, 9.5)); // 0..3 and 8..11; 4..7 and 12..15
    expect(dx).toEqual(Float32Array.from({ length: 16 }, (_, i) => (2 * (i % 8 < 4 ? 5.5 : 9.5)) / 8));
  });
});

it('pools every channel of every item by itself', async () => {
  const x = {
    shape: [2, 2, 2, 2, 2],
    data: Float32Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? i : -i)),
  };
  const { y } = await computed('graph', ({ x: image }) => ({ y: maxPool3d(image as Tensor5D) }), { x });
  expect(y).toEqual(Float32Array.of(14, -1, 30, -17));
});

const pooledShape = ([batch, d, h, w, channels]: readonly number[]): number[] => [
  batch as number,
  Math.floor((d as number) / 2),
  Math.floor((h as number) / 2),
  Math.floor((w as number) / 2),
  channels as number,
];

/** Block by block, voxel by voxel. */
function slowMaxPool(x: NamedArray, dy: NamedArray): { y: Float32Array; dx: Float32Array } {
  const at = (shape: readonly number[], place: readonly number[]) =>
    place.reduce((index, p, axis) => index * (shape[axis] as number) + p, 0);
  const y = new Float32Array(dy.data.length);
  const dx = new Float32Array(x.data.length);
  const [batch = 0, depth = 0, height = 0, width = 0, channels = 0] = dy.shape;
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < depth; d++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++)
          for (let c = 0; c < channels; c++) {
            const voxels = Array.from({ length: 8 }, (_, k) =>
              at(x.shape, [b, 2 * d + (k >> 2), 2 * h + ((k >> 1) & 1), 2 * w + (k & 1), c]),
            );
            const first = voxels.reduce((best, voxel) =>
              (x.data[voxel] as number) > (x.data[best] as number) ? voxel : best,
            );
            const block = at(dy.shape, [b, d, h, w, c]);
            y[block] = x.data[first] as number;
            dx[first] = dy.data[block] as number;
          }
  return { y, dx };
}
