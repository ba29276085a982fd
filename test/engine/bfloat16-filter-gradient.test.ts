import { describe, expect, it } from 'vitest';
import {
  compile,
  conv3d,
  createState,
  lossAndGradients,
  type Precision,
  type Scalar,
  type Tensor5D,
} from '../../src/engine/index.js';
import { randomStream } from '../../src/random/streams.js';

const channels = 16;
const normals = (count: number, salt: number) => {
  const stream = randomStream(2, 'init', salt);
  return Float32Array.from({ length: count }, () => stream.normal());
};

/** The filter gradient of a convolution of side `k` over two items of `size` [D, H, W], `times` times. */
async function filterGradients(
  precision: Precision,
  k: number,
  size: readonly [number, number, number],
  times: number,
): Promise<Float32Array[]> {
  const shape = [2, ...size, channels];
  const count = shape.reduce((product, n) => product * n, 1);
  const [x, t] = [normals(count, 1), normals(count, 2)];
  const state = createState(
    { w: { shape: [k, k, k, channels, channels], data: normals(k ** 3 * channels ** 2, 3) } },
    { engine: 'graph' },
  );
  const step = compile(
    (inputs, variables) => {
      const loss = () =>
        conv3d(inputs.x as Tensor5D, variables.w as never)
          .mul(inputs.t as Tensor5D)
          .sum() as Scalar;
      return { gradient: lossAndGradients(() => ({ total: loss() }), variables).gradients.w! };
    },
    {
      name: 'a convolution',
      inputs: { x: { shape, dtype: 'float32' }, t: { shape, dtype: 'float32' } },
      state,
      precision,
    },
  );
  const found: Float32Array[] = [];
  for (let i = 0; i < times; i++)
    found.push(Float32Array.from((await step.run({ x, t })).gradient as Float32Array));
  state.dispose();
  return found;
}

describe('filter gradients in bfloat16', () => {
  // Operands carry 8 bits, so products are off by 2^-8 at most and sums of many by less; a kernel that fails is off by the gradient itself.
  it.each([
    [3, [1, 4, 4]],
    [3, [2, 2, 2]],
    [3, [2, 4, 4]],
    [3, [2, 16, 16]],
    [3, [3, 3, 3]],
    [3, [4, 2, 2]],
    [5, [3, 6, 6]],
    [1, [2, 4, 4]],
  ] as const)(
    'are those of float32 within 1%% of the largest, each time, with a filter of side %i over %j voxels',
    async (k, size) => {
      const [exact] = (await filterGradients('float32', k, size, 1)) as [Float32Array];
      const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const found of await filterGradients('bfloat16', k, size, 5)) {
        const wrong = found.findIndex((value, i) => !(Math.abs(value - exact[i]!) <= 0.01 * largest));
        expect(wrong).toBe(-1);
      }
    },
  );
});
