import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createState, type Scalar, type Tensor, tf } from '../../src/engine/index.js';
import type { ParameterSpec } from '../../src/network/index.js';
import { correctionsAt, scaledToNorm, zeroMoments } from '../../src/training/adamw.js';
import { compileTrainingStep } from '../../src/training/training-step.js';

// Made by test/parity/network/make_network_references.py, in double precision.
const numbers = z.array(z.number());
const { start, gradients, runs, clips } = z
  .object({
    start: numbers,
    gradients: z.array(numbers),
    runs: z.array(
      z.object({ weightDecay: z.number(), values: z.array(numbers), first: numbers, second: numbers }),
    ),
    clips: z.array(
      z.object({ largest: z.number(), before: z.array(numbers), norm: z.number(), after: z.array(numbers) }),
    ),
  })
  .parse(JSON.parse(readFileSync('test/parity/network/adamw.json', 'utf8')));

const specs: readonly ParameterSpec[] = [
  { name: 'p', layout: 'linear', shape: [2, 3], init: { constant: 0 } },
];

/** Largest difference relative to the larger of the expected value and `least`. */
function error(found: ArrayLike<number>, expected: readonly number[], least: number): number {
  return Math.max(
    ...expected.map((value, i) => Math.abs(value - (found[i] as number)) / Math.max(Math.abs(value), least)),
  );
}

describe.each(runs)(
  'AdamW beside PyTorch, ten steps on gradients of 0, near epsilon, about 1 and about 1000, weight decay $weightDecay',
  (run) => {
    it('has its parameters after every step, and its moments after the last', async () => {
      const state = createState(
        { p: { shape: [2, 3], data: Float32Array.from(start) }, ...zeroMoments(specs) },
        { engine: 'graph' },
      );
      const step = compileTrainingStep({
        name: 'training step',
        specs,
        inputs: { g: { shape: [2, 3], dtype: 'float32' } },
        state,
        precision: 'float32',
        optimizer: {
          weightDecay: run.weightDecay,
          decayNormsAndBiases: true,
          clipNorm: null,
          notFiniteSteps: 0,
        },
        losses: ({ g }, { p }) => ({ total: (p as Tensor).mul(g as Tensor).sum() as Scalar }),
      });
      for (const [i, gradient] of gradients.entries()) {
        const learningRate = Float32Array.of(1e-2 * (1 - i / 20));
        await step.run({ g: Float32Array.from(gradient), learningRate, ...correctionsAt(i + 1) });
        const { p } = await state.read(['p']);
        // float32: an update of 1e-2 to a value about 1 is exact to 1.2e-7 / 2, ten times; swapping decay and update would make 1e-5 a step.
        expect(error(p?.data as Float32Array, run.values[i] as number[], 1)).toBeLessThan(1e-6);
      }
      const { 'optimizer.first.p': first, 'optimizer.second.p': second } = await state.read();
      expect(error(first?.data as Float32Array, run.first, 1e-12)).toBeLessThan(1e-5); // sums in which gradients of either sign cancel
      // of betas in float32, as the update takes them
      expect(error(second?.data as Float32Array, run.second, 1e-25)).toBeLessThan(2e-6);
      state.dispose();
    });
  },
);

it.each(clips)(
  'scales gradients to a norm of at most $largest as clip_grad_norm_ does',
  ({ largest, before, norm, after }) => {
    tf.tidy(() => {
      const named = Object.fromEntries(before.map((values, i) => [String(i), tf.tensor1d(values)]));
      const scaled = scaledToNorm(named, tf.scalar(norm), largest);
      for (const [i, values] of after.entries())
        expect(error(scaled[i]?.dataSync() as Float32Array, values, 1e-12)).toBeLessThan(1e-6);
    });
  },
);
