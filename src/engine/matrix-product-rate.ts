import { entryOf } from '../at.js';
import { compile, type StepFunction } from './compile.js';
import { createState } from './state.js';
import tf from './tf.js';
import type { Precision } from './trace.js';

/** Rows and columns: large enough that a product's rate no longer grows. */
const SIDE = 4096;

/**
 * Floating-point operations a second of a 4096^3 matrix product, the best of `times` after a first one: what
 * this machine can reach.
 * @param threads of the product; 0: one a core
 */
export async function matrixProductRate(precision: Precision, threads: number, times = 5): Promise<number> {
  const values = { shape: [SIDE, SIDE], data: new Float32Array(SIDE ** 2).fill(0.5) };
  const state = createState({ a: values, b: values }, { engine: 'graph', threads });
  try {
    const mean: StepFunction = (_, variables) => ({
      mean: tf.matMul(entryOf(variables, 'a'), entryOf(variables, 'b')).mean(),
    });
    const product = compile(mean, {
      name: 'matrix product',
      inputs: {},
      state,
      precision,
    });
    const seconds: number[] = [];
    for (let i = 0; i <= times; i++) {
      const started = performance.now();
      await product.run({});
      seconds.push((performance.now() - started) / 1000);
    }
    return (2 * SIDE ** 3) / Math.min(...seconds.slice(1));
  } finally {
    state.dispose();
  }
}
