import { describe, expect, it } from 'vitest';
import { createState, type NamedArrays, type Scalar, type Tensor } from '../../src/engine/index.js';
import type { ParameterSpec } from '../../src/network/index.js';
import { correctionsAt, zeroMoments } from '../../src/training/adamw.js';
import { compileTrainingStep, type OptimizerSettings } from '../../src/training/training-step.js';

const specs: readonly ParameterSpec[] = [
  { name: 'w', layout: 'linear', shape: [1, 1], init: { constant: 1 } },
  { name: 'b', layout: 'vector', shape: [1], init: { constant: 1 } },
];
const start: NamedArrays = {
  w: { shape: [1, 1], data: Float32Array.of(1) },
  b: { shape: [1], data: Float32Array.of(2) },
};
const plain: OptimizerSettings = {
  weightDecay: 0,
  decayNormsAndBiases: true,
  clipNorm: null,
  notFiniteSteps: 0,
};

/** Updates with the loss w * gw + b * gb, whose gradients are gw and gb, and what is there after the last. */
async function afterSteps(
  gradients: readonly (readonly [gw: number, gb: number])[],
  optimizer: OptimizerSettings,
  learningRate = 0.1,
  rateShare?: (parameter: string) => number,
) {
  const state = createState({ ...start, ...zeroMoments(specs) }, { engine: 'graph' });
  const step = compileTrainingStep({
    name: 'a step',
    specs,
    inputs: { gw: { shape: [], dtype: 'float32' }, gb: { shape: [], dtype: 'float32' } },
    state,
    precision: 'float32',
    optimizer,
    ...(rateShare && { rateShare }),
    losses: ({ gw, gb }, { w, b }) => ({
      total: (w as Tensor)
        .mul(gw as Tensor)
        .sum()
        .add((b as Tensor).mul(gb as Tensor).sum()) as Scalar,
    }),
  });
  const norms: number[] = [];
  for (const [i, [gw, gb]] of gradients.entries()) {
    const inputs = {
      gw: Float32Array.of(gw),
      gb: Float32Array.of(gb),
      learningRate: Float32Array.of(learningRate),
      ...correctionsAt(i + 1),
    };
    norms.push((await step.run(inputs, 0)).gradientNorm![0] as number);
  }
  const values = await state.read();
  state.dispose();
  return {
    values: Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data[0]!])),
    norms,
  };
}

/** AdamW as PyTorch's documentation writes it, in double precision. */
function expected(p: number, gradients: readonly number[], weightDecay: number, learningRate = 0.1): number {
  let [m, v, value] = [0, 0, p];
  for (const [i, g] of gradients.entries()) {
    value -= learningRate * weightDecay * value;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    value -= (learningRate * (m / (1 - 0.9 ** (i + 1)))) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8);
  }
  return value;
}

// float32 arithmetic on numbers around 1: a few units of 1.2e-7 a step
const digits = 6;

describe('AdamW', () => {
  it('takes the first step by hand: 1 (1 - 0.1 x 0.5) - 0.1, whatever the size of the gradient', async () => {
    const { values } = await afterSteps([[2, -300]], { ...plain, weightDecay: 0.5 });
    expect(values.w).toBeCloseTo(0.85, digits);
    expect(values.b).toBeCloseTo(2 * 0.95 + 0.1, digits);
    expect(values['optimizer.first.w']).toBeCloseTo(0.2, digits);
    expect(values['optimizer.second.w']).toBeCloseTo(0.004, digits);
  });

  it('follows the formula over steps of changing gradients', async () => {
    const gradients = [2, -1, 0.5, 0, 3, -3].map((g) => [g, 10 * g] as const);
    const { values } = await afterSteps(gradients, { ...plain, weightDecay: 0.1 });
    for (const [name, p, side] of [
      ['w', 1, 0],
      ['b', 2, 1],
    ] as const) {
      const of = gradients.map((pair) => pair[side]);
      expect(values[name]).toBeCloseTo(expected(p, of, 0.1), digits - 1);
    }
  });

  it('leaves vectors undecayed where the settings say so', async () => {
    const { values } = await afterSteps([[0, 0]], { ...plain, weightDecay: 0.5, decayNormsAndBiases: false });
    expect(values).toMatchObject({ w: expect.closeTo(0.95, digits), b: 2 });
    const decayed = await afterSteps([[0, 0]], { ...plain, weightDecay: 0.5 });
    expect(decayed.values.b).toBeCloseTo(1.9, digits);
  });
});

describe('a share of the learning rate', () => {
  it('is the rate of that parameter alone, its decay too, as with parameter groups of PyTorch', async () => {
    const gradients = [2, -1, 0.5].map((g) => [g, 10 * g] as const);
    const decaying = { ...plain, weightDecay: 0.1 };
    const share = (name: string) => (name === 'w' ? 0.25 : 1);
    const { values } = await afterSteps(gradients, decaying, 0.1, share);
    const of = (side: 0 | 1) => gradients.map((pair) => pair[side]);
    expect(values.w).toBeCloseTo(expected(1, of(0), 0.1, 0.025), digits - 1);
    expect(values.b).toBeCloseTo(expected(2, of(1), 0.1), digits - 1);
  });

  it('of 0 leaves the parameter as it is, bit for bit, and its gradient in the norm', async () => {
    const share = (name: string) => (name === 'w' ? 0 : 1);
    const { values, norms } = await afterSteps([[3, 4]], { ...plain, weightDecay: 0.1 }, 0.1, share);
    expect(values.w).toBe(1);
    expect(values.b).toBeLessThan(2);
    expect(norms[0]).toBeCloseTo(5, digits);
  });
});

describe('a step that is not finite', () => {
  const around: [number, number][] = [
    [2, 3],
    [Number.NaN, 1],
    [1, Number.POSITIVE_INFINITY],
    [-1, 2],
  ];

  it.each([null, 1])(
    'leaves every parameter where it may be passed over (clipped at %s)',
    async (clipNorm) => {
      const settings = { ...plain, weightDecay: 0.5, clipNorm, notFiniteSteps: 2 };
      const before = await afterSteps(around.slice(0, 1), settings);
      const between = await afterSteps(around.slice(0, 3), settings);
      for (const name of ['w', 'b']) expect(between.values[name]).toBe(before.values[name]);
      // Its gradients count as 0 in the moments: those of the step before, which are finite, fade.
      const first = 'optimizer.first.w';
      expect(between.values[first]).toBeCloseTo(0.81 * (before.values[first] ?? Number.NaN), digits);
      const after = await afterSteps(around, settings);
      for (const value of Object.values(after.values)) expect(value).toEqual(expect.any(Number));
      expect(Object.values(after.values).every(Number.isFinite)).toBe(true);
      expect(after.values.w).not.toBe(between.values.w);
    },
  );

  it('changes nothing of the others', async () => {
    const finite = [around[0], around[3]].map((pair) => pair ?? [0, 0]) as [number, number][];
    const [stopping, passing] = await Promise.all(
      [0, 2].map((notFiniteSteps) => afterSteps(finite, { ...plain, weightDecay: 0.5, notFiniteSteps })),
    );
    expect(passing).toEqual(stopping);
  });
});

describe('clipping', () => {
  const moments = ({ values }: { values: Record<string, number> }) => [
    values['optimizer.first.w']!,
    values['optimizer.first.b']!,
  ];

  it('scales all gradients together down to the largest norm, and tells the norm before', async () => {
    const clipped = await afterSteps([[3, 4]], { ...plain, clipNorm: 2.5 });
    expect(clipped.norms[0]).toBeCloseTo(5, digits);
    expect(moments(clipped)).toEqual([
      expect.closeTo(0.1 * 3 * 0.5, digits),
      expect.closeTo(0.1 * 4 * 0.5, digits),
    ]);
  });

  it('leaves smaller gradients, and zeros, as they are', async () => {
    expect(moments(await afterSteps([[3, 4]], { ...plain, clipNorm: 6 }))).toEqual([
      expect.closeTo(0.3, digits),
      expect.closeTo(0.4, digits),
    ]);
    expect(moments(await afterSteps([[0, 0]], { ...plain, clipNorm: 1 }))).toEqual([0, 0]);
  });
});
