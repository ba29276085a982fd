import { describe, expect, it } from 'vitest';
import {
  compile,
  createState,
  lossAndGradients,
  type Tensor,
  type Tensor5D,
  tf,
} from '../../src/engine/index.js';
import {
  initialiseParameters,
  makeNetwork,
  type NetworkSettings,
  type Parameters,
} from '../../src/network/index.js';
import { type HybridMimConfig, hybridMim } from '../../src/pretext/index.js';
import { randomStream } from '../../src/random/streams.js';

const settings: readonly NetworkSettings[] = [
  {
    name: 'swin-unetr',
    featureSize: 12,
    depths: [1, 2, 1, 1],
    numHeads: [3, 3, 3, 3],
    window: [4, 4, 4],
    version: 1,
    merging: 'merging',
    dropout: 0.1,
  },
  {
    name: 'unetr',
    imageSize: [64, 32, 32],
    featureSize: 4,
    hiddenSize: 12,
    mlpDim: 16,
    numHeads: 2,
    dropout: 0.1,
  },
  {
    name: 'seg-res-net',
    initFilters: 8,
    blocksDown: [1, 1, 1],
    blocksUp: [1, 1],
    normGroups: 4,
    dropout: 0.1,
  },
];
const config: HybridMimConfig = {
  subVolume: 32,
  patch: 16,
  region: 32,
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
const batch = { size: 2, crop: [32, 32, 64] as const, scaledTargets: false };
const stream = randomStream(1, 'phantom');
const images = Float32Array.from({ length: 2 * 32 * 32 * 64 }, () => stream.uniform());

/** Gradient norms of a task by itself, by parameter. */
async function reach(network: ReturnType<typeof makeNetwork>, task?: keyof HybridMimConfig['weights']) {
  const none = { reconstruction: 0, number: 0, location: 0, consistency: 0, contrast: 0 };
  const method = hybridMim(network, batch, { ...config, ...(task && { weights: { ...none, [task]: 1 } }) });
  const state = createState(initialiseParameters([...network.specs, ...method.heads], 3), {
    engine: 'graph',
  });
  const step = compile(
    (inputs, variables) => {
      const { terms, gradients } = lossAndGradients(() => method.losses(inputs, variables, true), variables);
      return {
        total: terms.total,
        ...Object.fromEntries(
          Object.entries(gradients).map(([name, gradient]) => [name, gradient.square().sum()]),
        ),
      };
    },
    { name: 'losses', inputs: method.inputs, state, precision: 'float32' },
  );
  const { total, ...norms } = await step.run({ images, ...method.corruption(5, 0) }, 9);
  state.dispose();
  expect(total![0]).toBeGreaterThan(0);
  const reached = Object.entries(norms).flatMap(([name, value]) => (value[0]! > 0 ? [name] : []));
  return { reached, all: Object.keys(initialiseParameters([...network.specs, ...method.heads], 3)) };
}

describe.each(settings)('HybridMIM on $name', (setting) => {
  const network = makeNetwork(setting, { inChannels: 1, outChannels: 1 });

  it('reaches every parameter and every head', async () => {
    const { reached, all } = await reach(network);
    // a norm after the only channel of the image takes the scale of a 1x1x1 convolution away but for its epsilon
    expect(all.filter((name) => !reached.includes(name) && !name.includes('conv3'))).toEqual([]);
    expect(all.filter((name) => name.startsWith('pretext.'))).toHaveLength(6);
  });
});

describe('HybridMIM on swin-unetr', () => {
  const network = makeNetwork(settings[0]!, { inChannels: 1, outChannels: 1 });

  it.each(['number', 'contrast'] as const)(
    'teaches its encoder by the %s alone, and computes no decoder',
    async (task) => {
      const { reached } = await reach(network, task);
      expect(reached.some((name) => name.startsWith('swinViT.layers4.'))).toBe(true);
      expect(reached).toContain(`pretext.${task}.weight`);
      expect(reached.filter((name) => /^(decoder|encoder|out)/.test(name))).toEqual([]);
    },
  );
});

describe.each(settings)('the target region of $name', (setting) => {
  const network = makeNetwork(setting, { inChannels: 1, outChannels: 1 });
  const pass = { training: false, dropoutKey: 0 };
  const run = async (body: (x: Tensor5D, parameters: Parameters) => Record<string, Tensor>) => {
    const state = createState(initialiseParameters(network.specs, 4), { engine: 'graph' });
    const inputs = { images: { shape: [1, 32, 32, 64, 1], dtype: 'float32' } } as const;
    const step = compile(({ images: x }, parameters) => body(x as Tensor5D, parameters), {
      name: 'decode',
      inputs,
      state,
      precision: 'float32',
    });
    const result = await step.run({ images: images.slice(0, 32 * 32 * 64) });
    state.dispose();
    return result as Record<string, Float32Array>;
  };

  it('without margins is the whole, and with margins a decoder that sees the region alone', async () => {
    const margins = { before: [0, 0, 16], after: [0, 0, 16] } as const;
    const found = await run((x, parameters) => {
      const levels = network.encode(x, parameters, pass);
      const whole = network.decode(levels, parameters, pass, { before: [0, 0, 0], after: [0, 0, 0] });
      const part = network.decode(levels, parameters, pass, margins);
      expect(part.shape).toEqual([1, 32, 32, 32, 1]);
      return {
        whole,
        again: network.decode(levels, parameters, pass),
        part,
        cut: tf.slice(whole, [0, 0, 0, 16, 0], [1, 32, 32, 32, 1]),
      };
    });
    expect(found.again).toEqual(found.whole);
    const correlation = correlated(found.part!, found.cut!);
    expect(correlation).toBeGreaterThan(0.9); // statistics of norms and voxels at the border differ; a region that is off by a cell has below 0.5
  });

  it('refuses margins that are no whole cells', async () => {
    const decode = run((x, parameters) => ({
      part: network.decode(network.encode(x, parameters, pass), parameters, pass, {
        before: [0, 0, 3],
        after: [0, 0, 13],
      }),
    }));
    await expect(decode).rejects.toThrow(/must be multiples of/);
  });
});

describe('masked tokens', () => {
  it.each(settings.slice(0, 2))(
    'of $name do not see what lies under the mask, even where the image does',
    async (setting) => {
      const network = makeNetwork(setting, { inChannels: 1, outChannels: 1 });
      const state = createState(initialiseParameters(network.specs, 4), { engine: 'graph' });
      const inputs = { images: { shape: [1, 32, 32, 64, 1], dtype: 'float32' } } as const;
      const mask = Float32Array.from({ length: 32 * 32 * 64 }, (_, i) => (i % 64 < 16 ? 1 : 0));
      const step = compile(
        ({ images: x }, parameters) => {
          const masked = tf.tensor(mask, [1, 32, 32, 64, 1]) as Tensor5D;
          const latent = (pass: object) =>
            network
              .encode(x as Tensor5D, parameters, { training: false, dropoutKey: 0, ...pass })
              .at(-1) as Tensor5D;
          return { masked: latent({ masked }), open: latent({}) };
        },
        { name: 'encode', inputs, state, precision: 'float32' },
      );
      const first = images.slice(0, 32 * 32 * 64);
      const changed = first.map((value, i) => (mask[i] === 1 ? 1 - value : value));
      const [one, other] = [await step.run({ images: first }), await step.run({ images: changed })];
      state.dispose();
      expect(other.masked).toEqual(one.masked);
      expect(other.open).not.toEqual(one.open);
    },
  );
});

function correlated(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: Float32Array, mx: number, y: Float32Array, my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}
