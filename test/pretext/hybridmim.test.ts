import { describe, expect, it } from 'vitest';
import { compile, createState, lossAndGradients } from '../../src/engine/index.js';
import { initialiseParameters, unet } from '../../src/network/index.js';
import { type HybridMimConfig, hybridMim } from '../../src/pretext/index.js';
import { randomStream } from '../../src/random/streams.js';

const network = unet({
  inChannels: 2,
  outChannels: 2,
  features: [4, 4, 4, 6, 8, 4],
  pools: [2, 2, 2, 2],
  dropout: 0.1,
});
const config: HybridMimConfig = {
  subVolume: 16,
  patch: 8,
  region: 16,
  maskRatio: 0.4,
  weights: { reconstruction: 1, number: 0.1, location: 0.1, consistency: 0.01, contrast: 0.1 },
  reconstruction: 'l2',
  consistency: 'soft',
  temperature: 0.5,
  subVolumeFeatures: 'cells',
  mask: 'zero',
  output: 'linear',
  contrastFeatures: 'mean',
  contrastDim: 12,
};
const batch = { size: 2, crop: [32, 32, 48] as const, scaledTargets: false };
const only = (task: keyof HybridMimConfig['weights']) => ({
  ...config,
  weights: { reconstruction: 0, number: 0, location: 0, consistency: 0, contrast: 0, [task]: 1 },
});

function images([depth, height, width]: readonly number[] = batch.crop): Float32Array {
  const stream = randomStream(1, 'phantom');
  return Float32Array.from({ length: 2 * depth! * height! * width! * 2 }, () => stream.uniform());
}

async function lossesAndReach(
  settings: HybridMimConfig,
  scaledTargets = false,
  crop: readonly [number, number, number] = batch.crop,
) {
  const method = hybridMim(network, { ...batch, crop, scaledTargets }, settings);
  const state = createState(initialiseParameters([...network.specs, ...method.heads], 3), {
    engine: 'graph',
  });
  const step = compile(
    (inputs, variables) => {
      const { terms, gradients } = lossAndGradients(() => method.losses(inputs, variables, true), variables);
      const norms = Object.fromEntries(
        Object.entries(gradients).map(([name, gradient]) => [`gradient ${name}`, gradient.square().sum()]),
      );
      return { ...terms, ...norms };
    },
    { name: 'losses', inputs: method.inputs, state, precision: 'float32' },
  );
  const scaled: Record<string, Float32Array> = scaledTargets
    ? { targetScale: new Float32Array(4).fill(0.5), targetShift: new Float32Array(4).fill(0.1) }
    : {};
  const values = await step.run({ images: images(crop), ...method.corruption(5, 0), ...scaled }, 9);
  state.dispose();
  const all = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value[0]!]));
  const reached = Object.keys(all).filter((name) => name.startsWith('gradient ') && all[name]! > 0);
  return { all, reached: reached.map((name) => name.slice('gradient '.length)), nodes: step.nodes };
}

describe('HybridMIM', () => {
  it.each([
    ['reconstruction', ['final_conv.weight', 'conv_0.conv_0.conv.weight'], ['pretext.']],
    [
      'number',
      ['pretext.number.weight', 'down_4.convs.conv_1.conv.weight'],
      ['upcat_', 'pretext.location', 'pretext.contrast'],
    ],
    [
      'location',
      ['pretext.location.weight', 'down_4.convs.conv_1.conv.weight'],
      ['upcat_', 'pretext.number', 'pretext.contrast'],
    ],
    [
      'consistency',
      ['pretext.location.weight', 'pretext.number.weight', 'conv_0.conv_0.conv.weight'],
      ['upcat_', 'pretext.contrast'],
    ],
    [
      'contrast',
      ['pretext.contrast.weight', 'conv_0.conv_0.conv.weight'],
      ['upcat_', 'pretext.number', 'pretext.location'],
    ],
  ] as const)(
    '%s alone teaches its own head and the encoder and nothing else',
    async (task, teaches, leaves) => {
      const { all, reached, nodes } = await lossesAndReach(only(task));
      expect(all.total).toBeCloseTo(all[task]!, 6);
      expect(
        Object.keys(all)
          .filter((name) => !name.startsWith('gradient '))
          .sort(),
      ).toEqual([task, 'total'].sort());
      for (const name of teaches) expect(reached).toContain(name);
      for (const prefix of leaves) expect(reached.filter((name) => name.startsWith(prefix))).toEqual([]);
      expect(nodes).toBeLessThan((await lossesAndReach(config)).nodes);
    },
  );

  it.each([
    { consistency: 'hard' },
    { reconstruction: 'l1' },
    { output: 'sigmoid' },
    { subVolumeFeatures: 'mean', subVolume: 32, region: 32, crop: [32, 32, 64] },
    { subVolumeFeatures: 'cells', subVolume: 32, region: 32, crop: [32, 32, 64] },
    { mask: 'token' },
    { contrastFeatures: 'octants' },
    { contrastFeatures: 'octants', crop: [16, 32, 48], region: 16 },
  ] as const)(
    'trains every head and both ends of the network with %j',
    async ({
      crop,
      ...settings
    }: Partial<HybridMimConfig> & { crop?: readonly [number, number, number] }) => {
      const { all, reached } = await lossesAndReach({ ...config, ...settings }, false, crop);
      for (const [name, value] of Object.entries(all)) expect(Number.isFinite(value), name).toBe(true);
      const heads = ['number', 'location', 'contrast'].map((head) => `pretext.${head}.weight`);
      const token = settings.mask === 'token' ? ['pretext.mask_token'] : [];
      const ends = ['conv_0.conv_0.conv.weight', 'final_conv.weight'];
      for (const name of [...heads, ...token, ...ends]) expect(reached).toContain(name);
    },
  );

  it.each([
    [64, 16, [64, 64, 64], 64, 64],
    [32, 8, [64, 64, 64], 64, 64],
    [16, 8, [64, 64, 64], 32, 8],
    [16, 16, [48, 32, 32], 32, 1],
  ] as const)('works at sub-volume %i, patch %i, crop %j', async (subVolume, patch, crop, region, n) => {
    const method = hybridMim(network, { ...batch, crop }, { ...config, subVolume, patch, region });
    const cellsOfSubVolume = (subVolume / 16) ** 3;
    expect(method.heads.find(({ name }) => name === 'pretext.number.weight')?.shape).toEqual([
      8 * cellsOfSubVolume,
      n + 1,
    ]);
    const state = createState(initialiseParameters([...network.specs, ...method.heads], 3), {
      engine: 'graph',
    });
    const step = compile((inputs, variables) => ({ ...method.losses(inputs, variables, true) }), {
      name: 'losses',
      inputs: method.inputs,
      state,
      precision: 'float32',
    });
    const values = await step.run({ images: images(crop), ...method.corruption(5, 0) }, 9);
    expect(Object.keys(values)).toHaveLength(6);
    for (const [value] of Object.values(values)) expect(Number.isFinite(value)).toBe(true);
    state.dispose();
  });

  it('draws no second view and no dropout when it validates', async () => {
    const method = hybridMim(network, batch, config);
    const state = createState(initialiseParameters([...network.specs, ...method.heads], 3), {
      engine: 'graph',
    });
    const step = compile((inputs, variables) => ({ ...method.losses(inputs, variables, false) }), {
      name: 'validation',
      inputs: method.inputs,
      state,
      precision: 'float32',
    });
    const inputs = { images: images(), ...method.corruption(5, 0) };
    const [first, second] = [await step.run(inputs, 1), await step.run(inputs, 2)];
    expect(Object.keys(first)).not.toContain('contrast');
    expect(first).toEqual(second);
    state.dispose();
  });
});
