import { describe, expect, it } from 'vitest';
import { leakyRelu, type Tensor, tf } from '../../../src/engine/index.js';
import { geluValue } from '../../../src/engine/ops/activation.js';
import { computed, engines } from '../computed.js';

describe.each(engines)('activations, %s', (engine) => {
  it('is x times the normal distribution function for gelu', async () => {
    const x = { shape: [6], data: Float32Array.of(-6, -1, 0, 0.5, 1, 2) };
    const { y } = await computed(engine, ({ x: input }) => ({ y: geluValue(input as Tensor) }), { x });
    // Tables of the distribution function: 9.8659e-10, 0.15865525, 0.5, 0.69146246, 0.84134475, 0.97724987.
    const expected = [-5.9195e-9, -0.15865525, 0, 0.34573123, 0.84134475, 1.95449974];
    for (const [i, value] of expected.entries())
      expect(Math.abs((y?.[i] as number) - value)).toBeLessThan(4e-7); // float32: two roundings at 2, and 1 + erf(-6) rounds to a multiple of 6e-8
  });

  it('takes the slope below 0 at exactly 0 for leaky ReLU, as PyTorch does', async () => {
    const x = { shape: [4], data: Float32Array.of(-3, 0, -0, 3) };
    const step = ({ x: input }: Record<string, Tensor>) => ({
      y: leakyRelu(input as Tensor, 0.25),
      dx: tf.grad((z: Tensor) => leakyRelu(z, 0.25))(input as Tensor),
    });
    const { y, dx } = await computed(engine, step, { x });
    expect(Array.from(y as Float32Array, (value) => value + 0)).toEqual([-0.75, 0, 0, 3]);
    expect(dx).toEqual(Float32Array.of(0.25, 0.25, 0.25, 1));
  });
});

it('refuses a leaky ReLU without a slope, whose gradient cannot be told from its output', () => {
  expect(() => leakyRelu(tf.zeros([2]), 0)).toThrow(/alpha > 0, got 0/);
});
