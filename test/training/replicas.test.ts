import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createState, dropout, type InputValues, type Scalar, type Tensor } from '../../src/engine/index.js';
import type { ParameterSpec } from '../../src/network/index.js';
import { stepSeed } from '../../src/random/streams.js';
import { correctionsAt, zeroMoments } from '../../src/training/adamw.js';
import {
  allReplicas,
  batchAsked,
  batchNumber,
  pairwise,
  replicatedValues,
} from '../../src/training/replicas.js';
import { compileTrainingStep } from '../../src/training/training-step.js';

const written = (a: string, b: string) => `(${a} + ${b})`;

describe('replicas', () => {
  it('are summed in an order that 1, 2, 4, 8 ... ranks share', () => {
    const powers = fc.integer({ min: 0, max: 4 });
    fc.assert(
      fc.property(powers, powers, fc.integer({ min: 1, max: 7 }), (of, further, odd) => {
        const ranks = 2 ** of;
        const here = 2 ** further * odd;
        const whole = pairwise(ranks * here, String, written);
        const inParts = pairwise(ranks, (rank) => pairwise(here, String, written, rank * here), written);
        expect(inParts).toBe(whole);
      }),
    );
    expect(pairwise(6, String, written)).toBe('(((0 + 1) + 2) + ((3 + 4) + 5))');
  });

  it('share the batches of all steps among ranks, each to one of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), (ranks, here) => {
        const all = ranks * here;
        const steps = 3;
        const asked = Array.from({ length: ranks }, (_, rank) =>
          Array.from({ length: steps * here }, (_, i) => batchAsked({ all, first: rank * here, here }, i)),
        );
        expect(asked.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: steps * all }, (_, i) => i));
      }),
    );
    expect(batchNumber({ all: 6, first: 2, here: 2 }, 1, 1)).toBe(9);
  });

  it('average losses and gradients of batches of their own, each with a dropout of its own', async () => {
    const steps = 2;
    const single = await lossesOf(1, 3 * steps);
    const together = await lossesOf(3, steps);
    for (let step = 0; step < steps; step++) {
      const own = single.slice(3 * step, 3 * step + 3);
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / 3;
      expect(new Set(own.map(({ total }) => total)).size).toBe(3);
      expect(together[step]!.total).toBeCloseTo(mean(own.map(({ total }) => total)), 5);
      // The loss is linear in the one parameter: its gradient is the loss itself.
      expect(together[step]!.gradientNorm).toBeCloseTo(mean(own.map(({ total }) => total)), 5);
    }
  });
});

/** Losses of steps with weight 1 on batches of four numbers, of which dropout leaves some. */
async function lossesOf(replicas: number, steps: number) {
  const specs: readonly ParameterSpec[] = [
    { name: 'w', layout: 'linear', shape: [1, 1], init: { constant: 1 } },
  ];
  const state = createState(
    { w: { shape: [1, 1], data: Float32Array.of(1) }, ...zeroMoments(specs) },
    { engine: 'graph' },
  );
  const share = allReplicas(replicas);
  const compiled = compileTrainingStep({
    name: 'a step',
    specs,
    inputs: { x: { shape: [1, 64], dtype: 'float32' } },
    replicas: share,
    state,
    precision: 'float32',
    optimizer: { weightDecay: 0, decayNormsAndBiases: true, clipNorm: null, notFiniteSteps: 0 },
    losses: ({ x }, { w }) => ({ total: dropout((x as Tensor).mul(w as Tensor), 0.5, 3).mean() as Scalar }),
  });
  const found: { total: number; gradientNorm: number }[] = [];
  for (let step = 0; step < steps; step++) {
    const inputsOf = (number: number): InputValues => ({
      x: Float32Array.from({ length: 64 }, (_, i) => 1 + ((number * 64 + i) % 7)),
    });
    const batches = Array.from({ length: replicas }, (_, i) => inputsOf(batchNumber(share, step, i)));
    const fed = replicatedValues(share, 5, step, batches);
    const learningRate = Float32Array.of(0);
    const { total, gradientNorm } = await compiled.run(
      { ...fed.inputs, learningRate, ...correctionsAt(step + 1) },
      fed.seed,
    );
    found.push({ total: total![0]!, gradientNorm: gradientNorm![0]! });
  }
  expect(stepSeed(5, 0)).toBe(replicatedValues(share, 5, 0, [{}]).seed);
  state.dispose();
  return found;
}
