import { expect, it } from 'vitest';
import { after, conv3d, instanceNorm, type Tensor, type Tensor1D, type Tensor5D, tf } from '../../src/engine/index.js';
import { computed, engines, normals } from './computed.js';

it.each(engines)('gives the value that waited, unchanged, floats and integers, %s', async (engine) => {
  const x = normals([3, 4], 1);
  const { kept, counted } = await computed(
    engine,
    ({ x: input }) => {
      const late = (input as Tensor).sum();
      return { kept: after(input as Tensor, late), counted: after(tf.range(0, 5, 1, 'int32'), late) };
    },
    { x },
  );
  expect(kept).toEqual(x.data);
  expect([...counted!]).toEqual([0, 1, 2, 3, 4]);
});

it('differentiates a norm of a bfloat16 convolution from the output as it was rounded, kept or not', async () => {
  const inputs = { x: normals([1, 6, 8, 10, 16], 1), w: normals([3, 3, 3, 16, 16], 2), dy: normals([1, 6, 8, 10, 16], 3) };
  const [gamma, beta] = [normals([16], 4), normals([16], 5)];
  const step = ({ x, w, dy, gamma: g, beta: b }: Record<string, Tensor>) => {
    const convolved = conv3d(x as Tensor5D, w as Tensor5D);
    const norm = (z: Tensor) => instanceNorm(z as Tensor5D, g as Tensor1D, b as Tensor1D).mul(dy!);
    return {
      direct: tf.grad((z: Tensor) => norm(z))(convolved),
      copied: tf.grad((z: Tensor) => norm(z))(convolved.mul(1)), // the trace does not know this one as a widened output
    };
  };
  const { direct, copied } = await computed('graph', step, { ...inputs, gamma, beta }, 0, 'bfloat16');
  expect(direct).toEqual(copied);
});
