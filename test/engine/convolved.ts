import { expect } from 'vitest';
import {
  compile,
  conv3d,
  createState,
  type NamedArray,
  type Precision,
  type StepFunction,
  type StepMode,
  type Tensor,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';

/** A convolution and its gradients, with the number of nodes of the graph. */
export async function convolved(
  engine: 'graph' | 'eager',
  { x, dy, w }: Record<'x' | 'dy' | 'w', NamedArray>,
  precision: Precision = 'float32',
  mode: StepMode = 'training',
) {
  const state = createState({ w }, { engine });
  const gradients: StepFunction = (given, { w: filter }) => {
    const convolve = (...[image, taps]: Tensor[]) => conv3d(image as Tensor5D, taps as Tensor5D);
    const [dx, dw] = tf.grads(convolve)([given.x!, filter!], given.dy!);
    return { y: convolve(given.x!, filter!), dx: dx!, dw: dw! };
  };
  const inputs = {
    x: { shape: x.shape, dtype: 'float32' },
    dy: { shape: dy.shape, dtype: 'float32' },
  } as const;
  const step = compile(gradients, { name: 'convolution', inputs, state, precision, mode });
  const results = (await step.run({ x: x.data, dy: dy.data })) as Record<string, Float32Array>;
  state.dispose();
  return { results, nodes: step.nodes };
}

/** The largest difference, less a share of the value itself, in units of the largest value. */
export function largestExcess(found: Float32Array, reference: Float32Array, share: number): number {
  expect(found.length).toBe(reference.length);
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const excess = reference.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (found[i] as number)) - share * Math.abs(value)),
    0,
  );
  return excess / largest;
}
