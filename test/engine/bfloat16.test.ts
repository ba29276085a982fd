import { describe, expect, it } from 'vitest';
import {
  conv3d,
  dropoutLeakyRelu,
  instanceNorm,
  leakyRelu,
  maxPool3d,
  type NamedArray,
  type Tensor,
  type Tensor1D,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { computed, normals } from './computed.js';

const inputs = {
  x: normals([2, 6, 8, 10, 16], 1),
  w: normals([3, 3, 3, 16, 16], 2),
  v: normals([3, 3, 3, 16, 16], 3),
  gamma: normals([16], 4),
  beta: normals([16], 5),
};
type Named = Record<string, Tensor>;
const convolved = ({ x, w }: Named) => conv3d(x as Tensor5D, w as Tensor5D);
const normed = (y: Tensor5D, { gamma, beta }: Named) => instanceNorm(y, gamma as Tensor1D, beta as Tensor1D);

const deviation = (found: Float32Array, exact: Float32Array) => {
  const sum = (terms: (i: number) => number) => exact.reduce((total, _, i) => total + terms(i), 0);
  return Math.sqrt(
    sum((i) => ((found[i] as number) - (exact[i] as number)) ** 2) / sum((i) => (exact[i] as number) ** 2),
  );
};

const inBothPrecisions = (
  step: (named: Named) => Record<string, Tensor>,
  values: Record<string, NamedArray> = inputs,
  seed = 7,
) =>
  Promise.all(
    (['float32', 'bfloat16'] as const).map((precision) => computed('graph', step, values, seed, precision)),
  );

describe('between two convolutions in bfloat16', () => {
  it('what only moves values, or picks some, gives exactly the values that were rounded', async () => {
    const moved = (y: Tensor5D) => ({
      reshaped: y.reshape([2, 48, 10, 16]),
      slice: tf.slice(y, [0, 1, 2, 3, 0], [2, 4, 5, 6, 16]),
      joined: tf.concat([y, y], 4),
      first: tf.split(y, 2, 0)[0] as Tensor,
      padded: tf.pad(y, [
        [0, 0],
        [1, 0],
        [0, 1],
        [0, 0],
        [0, 0],
      ]),
      largest: maxPool3d(y),
    });
    const widened = (tensors: Record<string, Tensor>) =>
      Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${name} of copy`, t]));
    const step = (named: Named) => ({
      ...moved(convolved(named)),
      ...widened(moved(convolved(named).mul(1))),
    }); // a product is float32
    const found = await computed('graph', step, inputs, 0, 'bfloat16');
    for (const name of Object.keys(found).filter((n) => !n.endsWith('of copy')))
      expect(found[name], name).toEqual(found[`${name} of copy`]);
    expect(Object.keys(found)).toHaveLength(12);
  });

  it('norm, dropout, activation and pooling stay within their roundings of float32, and so do all gradients', async () => {
    const step = (named: Named) => {
      const network = (x: Tensor, w: Tensor, v: Tensor, gamma: Tensor, beta: Tensor) => {
        const first = dropoutLeakyRelu(normed(convolved({ x, w }), { gamma, beta }), 0.1, 3, 0.1);
        const second = leakyRelu(normed(conv3d(maxPool3d(first), v as Tensor5D), { gamma, beta }), 0.1);
        return second.square().mean().add(first.mean()); // two gradients meet in `first`, as at a skip connection
      };
      const { x, w, v, gamma, beta } = named as Record<keyof typeof inputs, Tensor>;
      const [dx, dw, dv, dGamma, dBeta] = tf.grads(network)([x, w, v, gamma, beta]) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      return { loss: network(x, w, v, gamma, beta), dx, dw, dv, dGamma, dBeta };
    };
    const [exact, found] = await inBothPrecisions(step);
    // Eight significant bits are off by up to 2^-9 of a value, 0.1 % in root mean square; a dozen such roundings lie on the longest path,
    // and where one changes which of two values pooling takes, a gradient moves. The loss averages all of it.
    expect(deviation(found!.loss!, exact!.loss!)).toBeLessThan(0.01);
    for (const name of ['dv', 'dGamma', 'dBeta'] as const)
      expect(deviation(found![name]!, exact![name]!), name).toBeLessThan(0.03);
    for (const name of ['dx', 'dw'] as const)
      expect(deviation(found![name]!, exact![name]!), name).toBeLessThan(0.1);
    for (const name of Object.keys(exact!)) expect(found![name], name).not.toEqual(exact![name]); // it does compute in bfloat16
  });

  it('dropout drops the elements that it drops in float32, and lets no gradient through them', async () => {
    const step = (named: Named) => {
      const op = (y: Tensor) => dropoutLeakyRelu(y as Tensor5D, 0.25, 3, 0.1);
      const y = convolved(named);
      return { y: op(y), dy: tf.grad((z: Tensor) => op(z))(y) };
    };
    const [exact, found] = await inBothPrecisions(step);
    const zeros = (values: Float32Array | undefined) =>
      Array.from(values as Float32Array, (value) => value === 0);
    expect(zeros(found!.y)).toEqual(zeros(exact!.y));
    expect(zeros(found!.dy)).toEqual(zeros(exact!.y));
    const share = zeros(found!.y).filter(Boolean).length / found!.y!.length;
    expect(share).toBeGreaterThan(0.23);
    expect(share).toBeLessThan(0.27);
  });

  it('dropout in bfloat16 tells a dropped element from a value of 0', async () => {
    const zero = { ...inputs, w: { shape: [3, 3, 3, 16, 16], data: new Float32Array(27 * 256) } };
    const step = (named: Named) => {
      const op = (y: Tensor) => dropoutLeakyRelu(y as Tensor5D, 0.25, 3, 0.5);
      const y = convolved(named); // +0 everywhere
      return { y: op(y), dy: tf.grad((z: Tensor) => op(z))(y) };
    };
    const [exact, found] = await inBothPrecisions(step, zero);
    expect(found).toEqual(exact);
    expect(new Set(found!.dy)).toEqual(new Set([0, 0.5]));
  });
});

describe('the filter gradient of a large convolution in bfloat16', () => {
  it.each([
    [1, [41, 42, 43], 16, 16],
    [2, [40, 41, 42], 32, 16],
    [1, [3, 150, 151], 16, 32],
  ] as const)(
    'is that of float32 rounded, the same each time: batch %i, size %j, %i to %i channels',
    async (batch, size, ins, outs) => {
      const large = {
        x: normals([batch, ...size, ins], 6),
        w: normals([3, 3, 3, ins, outs], 7),
        dy: normals([batch, ...size, outs], 8),
      };
      const step = ({ x, w, dy }: Named) => ({
        dw: tf.grad((filter: Tensor) => conv3d(x as Tensor5D, filter as Tensor5D))(w as Tensor, dy),
      });
      const [exact, found] = await inBothPrecisions(step, large);
      const again = await computed('graph', step, large, 7, 'bfloat16');
      expect(deviation(found!.dw!, exact!.dw!)).toBeLessThan(0.005); // operands and result rounded to eight bits
      expect(again).toEqual(found);
    },
  );
});
