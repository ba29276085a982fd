import { describe, expect, it } from 'vitest';
import { after } from '../../src/engine/after.js';
import {
  attention,
  compile,
  multilayerPerceptron,
  type StepFunction,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { attribute, runOp } from '../../src/engine/native-backend.js';
import type { Tensor1D, Tensor2D } from '../../src/engine/tf.js';
import { computed, normals, stateIn } from './computed.js';
import { gpu, runNodes, tracedState, wrongOnGpu } from './gpu-graph.js';

/** More numbers than may lie in the host's memory, the least and the greatest among them. */
const count = 20_000;
const ends = [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1];
const integers = (salt: number) =>
  Int32Array.from({ length: count }, (_, i) =>
    i < 25 ? ends[(i + salt * Math.floor(i / 5)) % 5]! : Math.imul(i + salt, 2654435761),
  );
const large = (salt: number): Tensor => tf.tensor1d(integers(salt), 'int32');
const binary = (name: string, a: Tensor, b: Tensor): Tensor =>
  runOp(name, [attribute.type('T', 'int32')], [a, b]);
const asFloats = (x: Tensor): Tensor => x.cast('float32');

/** Ops of many int32 numbers, of which TensorFlow's kernels for a GPU compute on the host. */
const ops: Readonly<Record<string, () => Tensor>> = {
  ...Object.fromEntries(
    ['Add', 'AddV2', 'Sub', 'Mul', 'Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'].map(
      (name) => [name, () => binary(name, large(1), large(2))],
    ),
  ),
  'Less, of a number and many': () => binary('Less', tf.scalar(-7, 'int32'), large(1)),
  'GreaterEqual, of the least number': () => binary('GreaterEqual', large(1), tf.scalar(-(2 ** 31), 'int32')),
  'Mul, one after the other': () => binary('Mul', binary('Mul', large(1), large(2)), tf.scalar(3, 'int32')),
  Reshape: () => large(1).reshape([2, count / 2]),
  ExpandDims: () => large(1).expandDims(0),
  'one that waits for another': () => after(large(1), large(2)),
  Pack: () => tf.stack([large(1), large(2)]),
  ConcatV2: () => tf.concat([large(1), large(2)]),
  'the rows of a gather': () =>
    tf.gather(
      tf.range(0, count),
      tf.tensor1d(
        integers(1).map((n) => Math.abs(n % count)),
        'int32',
      ),
    ),
};

describe('many int32 numbers on a GPU', () => {
  it.each(Object.keys(ops))(
    '%s: no number goes through the host, and each is what it is on a CPU',
    async (name) => {
      const step: StepFunction = () => ({ y: ops[name]!() });
      const { y: expected } = await computed('graph', step);
      const { y } = await computed('graph for a GPU', step);
      expect(y).toEqual(expected);
      expect(lookedAt(step)).toEqual([]);
    },
  );

  it('a few, as in sizes, stay on the host, where TensorFlow wants them', () => {
    const state = stateIn('graph for a GPU');
    const step: StepFunction = () => ({ y: asFloats(tf.scalar(2, 'int32').mul(tf.scalar(3, 'int32'))) });
    const compiled = compile(step, { name: 'few', inputs: {}, state, precision: 'float32' });
    expect(runNodes(compiled).filter(({ op }) => op === 'Bitcast')).toEqual([]);
    state.dispose();
  });

  it('an op that cannot be written otherwise is found', () => {
    expect(lookedAt(() => ({ y: asFloats(large(1).abs()) }))).toEqual([
      'Abs(T=int32) takes x, y through the host',
    ]);
    expect(lookedAt(() => ({ y: asFloats(large(1).floorDiv(large(2))) }))).toEqual([
      'FloorDiv is not in the table: add it to make_kernel_table.py and run that',
    ]);
  });
});

it('small constants that are alike are one node, and 0 and -0 are two', async () => {
  const inverses: StepFunction = () => ({
    y: tf.stack([0, -0, 0, -0].map((zero) => tf.scalar(1).div(tf.scalar(zero)))),
  });
  expect((await computed('graph for a GPU', inverses)).y).toEqual(
    Float32Array.of(Infinity, -Infinity, Infinity, -Infinity),
  );
  const state = tracedState({}, gpu);
  const compiled = compile(inverses, { name: 'inverses', inputs: {}, state, precision: 'float32' });
  expect(runNodes(compiled).filter(({ op }) => op === 'Const')).toHaveLength(3); // 1, 0 and -0
  state.dispose();
});

describe('attention and perceptron on a GPU', () => {
  const steps: Readonly<Record<string, StepFunction>> = {
    attention: ({ x }) => ({ y: attention(x as Tensor2D, { heads: 2, tokens: 16 }) }),
    perceptron: ({ x }) => ({
      y: multilayerPerceptron(
        x as Tensor2D,
        tf.ones([12, 64]),
        tf.ones([64]) as Tensor1D,
        tf.ones([64, 4]),
        tf.ones([4]),
      ),
    }),
  };
  const inputs = { x: normals([256, 12], 1) }; // 16 windows of 16 tokens: 8,192 weights, or 16,384 hidden values

  it.each(Object.keys(steps))('%s: whole where memory has room, in as few spans as fit elsewhere', (name) => {
    const slices = (values: number) => {
      const state = tracedState({}, { ...gpu, gpuMemoryBytes: values * 4 * 32 });
      const specs = { x: { shape: inputs.x.shape, dtype: 'float32' } } as const;
      const compiled = compile(steps[name]!, { name, inputs: specs, state, precision: 'float32' });
      const count = runNodes(compiled).filter(({ op }) => op === 'MatMul' || op === 'BatchMatMulV2').length;
      state.dispose();
      return count / 2; // two products a span
    };
    const all = name === 'attention' ? 8192 : 16_384;
    expect([all, all / 2, all / 4, 2 ** 40].map(slices)).toEqual([1, 2, 4, 1]);
  });
});

/** What is wrong with a step on a GPU. */
function lookedAt(step: StepFunction): string[] {
  const state = tracedState({}, gpu);
  try {
    const compiled = compile(step, { name: 'looked at', inputs: {}, state, precision: 'float32' });
    const wrong = runNodes(compiled).map((node) => wrongOnGpu(state.inGraph!.graph, node));
    return [...new Set(wrong)].flatMap((sentence) => sentence ?? []);
  } finally {
    state.dispose();
  }
}
