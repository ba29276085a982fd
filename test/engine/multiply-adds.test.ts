import { expect, it } from 'vitest';
import {
  compile,
  conv3d,
  convTranspose3d,
  createState,
  type Precision,
  type Tensor,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import { normals } from './computed.js';

const ofStep = (
  step: (x: Tensor, w: Tensor) => Record<string, Tensor>,
  w: readonly number[],
  x: readonly number[],
  precision: Precision,
) => {
  const state = createState({ w: normals(w, 1) }, { engine: 'graph' });
  const compiled = compile((inputs, variables) => step(inputs.x as Tensor, variables.w as Tensor), {
    name: 'products',
    inputs: { x: { shape: x, dtype: 'float32' } },
    state,
    precision,
  });
  state.dispose();
  return compiled.multiplyAdds;
};

it.each(['float32', 'bfloat16'] as const)(
  'counts the products of a step that something takes, %s',
  (precision) => {
    const [w, x] = [
      [3, 3, 3, 4, 6],
      [2, 5, 6, 7, 4],
    ];
    const once = 2 * 5 * 6 * 7 * 27 * 4 * 6;
    const forward = (input: Tensor, filter: Tensor) => conv3d(input as Tensor5D, filter as Tensor5D);
    const both = (input: Tensor, filter: Tensor) => {
      const [dx, dw] = tf.grads(forward)([input, filter]) as [Tensor, Tensor];
      return { dx, dw };
    };
    expect(ofStep((input, filter) => ({ y: forward(input, filter) }), w, x, precision)).toBe(once);
    expect(ofStep(both, w, x, precision)).toBe(2 * once); // nobody takes the output itself: it is not computed
    const filterOnly = (input: Tensor, filter: Tensor) => ({
      dw: tf.grad((f: Tensor) => forward(input, f))(filter),
    });
    expect(ofStep(filterOnly, w, x, precision)).toBe(once);
  },
);

it('counts strided, transposed and matrix products', () => {
  const volume = [1, 4, 6, 8, 3];
  const strided = (x: Tensor, w: Tensor) => ({ y: conv3d(x as Tensor5D, w as Tensor5D, 2) });
  expect(ofStep(strided, [2, 2, 2, 3, 5], volume, 'float32')).toBe(2 * 3 * 4 * 8 * 3 * 5);
  const transposed = (x: Tensor, w: Tensor) => ({ y: convTranspose3d(x as Tensor5D, w as Tensor5D, 2) });
  expect(ofStep(transposed, [2, 2, 2, 5, 3], volume, 'float32')).toBe(4 * 6 * 8 * 8 * 3 * 5);
  const matrices = (x: Tensor, w: Tensor) => ({ y: tf.matMul(x, w, true) }); // [7, 5]^T [7, 3]
  expect(ofStep(matrices, [2, 7, 3], [2, 7, 5], 'float32')).toBe(2 * 5 * 3 * 7);
});
