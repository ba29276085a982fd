import { describe, expect, it } from 'vitest';
import { isEncoderParameter, unet } from '../../src/network/index.js';
import { autoEncoder, modelsGenesis, type PretextMethod, simMim, transVw } from '../../src/pretext/index.js';
import { onePass } from './one-pass.js';
import { noise } from './plain-loops.js';

const network = unet({
  inChannels: 2,
  outChannels: 2,
  features: [4, 4, 4, 6, 8, 4],
  pools: [2, 2, 2, 2],
  dropout: 0.1,
});
const batch = { size: 2, crop: [32, 16, 48] as const, scaledTargets: false };
const length = 2 * 32 * 16 * 48 * 2;
const images = noise(length, 1);

const pass = (method: PretextMethod, inputs: Record<string, Float32Array | Int32Array>) =>
  onePass(network, method, inputs);

describe('Models Genesis', () => {
  const method = modelsGenesis(network, batch);
  const corrupted = noise(length, 2);

  it('teaches encoder and decoder, and has no head', async () => {
    const { reached, specs } = await pass(method, { images, corrupted });
    expect(specs.map(({ name }) => name)).toEqual(network.specs.map(({ name }) => name));
    for (const name of [
      'conv_0.conv_0.conv.weight',
      'down_4.convs.conv_1.conv.weight',
      'upcat_1.convs.conv_1.conv.weight',
      'final_conv.weight',
    ]) {
      expect(reached).toContain(name);
    }
    expect(method.heads).toEqual([]);
  });
});

describe('TransVW', () => {
  const config = {
    words: 3,
    instances: 2,
    wordWeight: 0.5,
    autoEncoder: { side: 16, steps: 1, batchSize: 1, learningRate: 1 },
  };

  it('teaches encoder, decoder and the head of the words', async () => {
    const { reached } = await pass(transVw(network, batch, config), {
      images,
      corrupted: noise(length, 2),
      words: Int32Array.of(2, 0),
    });
    for (const name of [
      'conv_0.conv_0.conv.weight',
      'upcat_1.convs.conv_1.conv.weight',
      'final_conv.weight',
      'pretext.word.weight',
    ]) {
      expect(reached).toContain(name);
    }
  });
});

describe('the auto-encoder of visual words', () => {
  it('teaches encoder and decoder through the latent', async () => {
    const { reached } = await pass(autoEncoder(network, batch), { images });
    for (const name of ['conv_0.conv_0.conv.weight', 'down_4.convs.conv_1.conv.weight', 'final_conv.weight'])
      expect(reached).toContain(name);
  });
});

describe('SimMIM', () => {
  const method = simMim(network, batch, { patch: 8, maskRatio: 0.6 });
  const fed = { images, ...(method.corruption(5, 0) as { patchMask: Float32Array }) };

  it('has no decoder, and teaches the encoder, the head and the token', async () => {
    const { specs, reached } = await pass(method, fed);
    const names = specs.map(({ name }) => name);
    expect(names.filter((name) => !isEncoderParameter(network, name)).sort()).toEqual([
      'pretext.mask_token',
      'pretext.reconstruction.bias',
      'pretext.reconstruction.weight',
    ]);
    expect(names.filter((name) => isEncoderParameter(network, name))).toHaveLength(40); // ten convolutions with their norms
    for (const name of ['conv_0.conv_0.conv.weight', 'pretext.mask_token', 'pretext.reconstruction.weight'])
      expect(reached).toContain(name);
  });
});
