import { describe, expect, it } from 'vitest';
import { maeSettings } from '../../src/pretext/mae.js';
import { modelsGenesisSettings } from '../../src/pretext/models-genesis.js';
import { simMimSettings } from '../../src/pretext/simmim.js';
import { transVwSettings } from '../../src/pretext/transvw.js';
import { unetFormerSettings } from '../../src/pretext/unetformer.js';

/** What the published recipes say, which docs/methods.md repeats. */
const recipes = {
  mae: [maeSettings, { maskRatio: 0.75, decoder: { width: 512, depth: 8, heads: 16 } }],
  'models-genesis': [
    modelsGenesisSettings,
    { flip: 0.4, shuffle: 0.5, nonlinear: 0.9, paint: 0.9, inPaint: 0.2 },
  ],
  simmim: [simMimSettings, { patch: 16, maskRatio: 0.6 }],
  transvw: [
    transVwSettings,
    {
      words: 44,
      instances: 200,
      wordWeight: 0.01,
      autoEncoder: { side: 64, steps: 5000, batchSize: 4, learningRate: 1e-4 },
    },
  ],
  unetformer: [unetFormerSettings, { patch: 16, maskRatio: 0.4 }],
} as const;

describe('settings of the peers', () => {
  it.each(Object.entries(recipes))(
    '%s: are the published ones where a file says nothing',
    (name, [schema, values]) => {
      expect(schema.parse({ name })).toEqual({ name, ...values });
    },
  );

  it.each([
    [transVwSettings, { words: 1 }],
    [transVwSettings, { instances: 0 }],
    [transVwSettings, { wordWeight: -0.1 }],
    [transVwSettings, { autoEncoder: { steps: 0 } }],
    [transVwSettings, { autoEncoder: { batchSize: 0 } }],
    [transVwSettings, { autoEncoder: { learningRate: 0 } }],
    [maeSettings, { decoder: { depth: 0 } }],
    [maeSettings, { decoder: { depth: 65 } }],
    [maeSettings, { maskRatio: 1 }],
    [simMimSettings, { patch: 0 }],
    [modelsGenesisSettings, { flip: 1.1 }],
  ] as const)('refuse what cannot be meant: %#', (schema, wrong) => {
    const { name } = schema.shape;
    expect(schema.safeParse({ name: name.value, ...wrong }).success).toBe(false);
  });

  it('take the least that can be meant', () => {
    const least = { words: 2, instances: 1, wordWeight: 0, autoEncoder: { steps: 1, batchSize: 1 } };
    expect(transVwSettings.safeParse({ name: 'transvw', ...least }).success).toBe(true);
    for (const depth of [1, 64])
      expect(maeSettings.safeParse({ name: 'mae', decoder: { depth } }).success).toBe(true);
  });
});
