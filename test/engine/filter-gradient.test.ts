import { describe, expect, it, vi } from 'vitest';
import {
  compile,
  conv3d,
  createState,
  type StepFunction,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { normals } from './computed.js';

// oneDNN's own switch, read once in a process: this file computes as a CPU without AVX-512 does, wherever it runs.
vi.hoisted(() => {
  process.env.ONEDNN_MAX_CPU_ISA = 'AVX2';
});

describe('on a CPU without AVX-512', () => {
  it.each([
    [1, [36, 37, 38], 16, 16],
    [1, [36, 36, 37], 16, 32],
    [2, [37, 36, 36], 32, 16],
  ] as const)(
    'the filter gradient of a large convolution is the eager one, batch %i, size %j, %i to %i channels',
    async (batch, size, inputs, outputs) => {
      const voxels = batch * size[0] * size[1] * size[2];
      const values = { x: repeated(voxels * inputs, 31), dy: repeated(voxels * outputs, 32) };
      const specs = {
        x: { shape: [batch, ...size, inputs], dtype: 'float32' },
        dy: { shape: [batch, ...size, outputs], dtype: 'float32' },
      } as const;
      const found = await Promise.all(
        (['graph', 'eager'] as const).map(async (engine) => {
          const state = createState({ w: normals([3, 3, 3, inputs, outputs], 33) }, { engine });
          const gradient: StepFunction = ({ x, dy }, { w }) => ({
            dw: tf.grads((filter) => conv3d(x as Tensor5D, filter as Tensor5D))([w!], dy!)[0]!,
          });
          const step = compile(gradient, {
            name: 'filter gradient',
            inputs: specs,
            state,
            precision: 'float32',
          });
          const { dw } = await step.run(values);
          state.dispose();
          return { dw: dw as Float32Array, nodes: step.nodes };
        }),
      );
      const [graph, eager] = found as [(typeof found)[0], (typeof found)[0]];
      expect(graph.nodes).toBeGreaterThan(9 * batch * 3); // nine products a slab: the route that is meant
      const largest = eager.dw.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const error = eager.dw.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (graph.dw[i] as number))),
        0,
      );
      expect(error).toBeLessThan(1e-5 * largest); // float32 sums of 80,000 products in another order
    },
  );

  it('bfloat16 rounds the operands and sums their products in float32', async () => {
    const [x, w] = [normals([1, 4, 4, 4, 8], 1), normals([3, 3, 3, 8, 4], 2)];
    const rounded = ({ shape, data }: typeof x) => ({ shape, data: data.map(nearestBfloat16) });
    const convolved = async (image: typeof x, kernel: typeof x, precision: 'float32' | 'bfloat16') => {
      const state = createState({ w: kernel }, { engine: 'graph' });
      const inputs = { x: { shape: image.shape, dtype: 'float32' } } as const;
      const step = compile(({ x: input }, v) => ({ y: conv3d(input as Tensor5D, v.w as never) }), {
        name: 'conv',
        inputs,
        state,
        precision,
      });
      const { y } = await step.run({ x: image.data });
      state.dispose();
      return y as Float32Array;
    };
    expect(await convolved(x, w, 'bfloat16')).toEqual(await convolved(rounded(x), rounded(w), 'float32'));
    expect(await convolved(x, w, 'bfloat16')).not.toEqual(await convolved(x, w, 'float32'));
  });
});

/** 4,099 random values again and again; a prime, so that no two rows of voxels are alike. */
function repeated(length: number, salt: number): Float32Array {
  const { data } = normals([4099], salt);
  return Float32Array.from({ length }, (_, i) => data[i % data.length] as number);
}

/** To eight significant bits, ties to even. */
function nearestBfloat16(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  const low = (bits[0] as number) & 0xffff;
  const high = (bits[0] as number) >> 16;
  const up = low > 0x8000 || (low === 0x8000 && (high & 1) === 1);
  bits[0] = (high + (up ? 1 : 0)) << 16;
  return new Float32Array(bits.buffer)[0] as number;
}
