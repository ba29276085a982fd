import { beforeAll, describe, expect, it } from 'vitest';
import { compile, createState, type Tensor1D, type Tensor5D } from '../../src/engine/index.js';
import { initialiseParameters, isEncoderParameter, makeNetwork, type NetworkSettings } from '../../src/network/index.js';
import { mae, modelsGenesis } from '../../src/pretext/index.js';
import { pretrainingBytes } from '../../src/training/pretrain.js';
import { onePass } from './one-pass.js';
import { maskedValues, meanOf, noise } from './plain-loops.js';

const settings: NetworkSettings = { name: 'unetr', imageSize: [64, 32, 32], featureSize: 4, hiddenSize: 12, mlpDim: 16, numHeads: 2, dropout: 0.1 };
const network = makeNetwork(settings, { inChannels: 2, outChannels: 2 });
const batch = { size: 2, crop: [32, 32, 64] as const, scaledTargets: false };
const config = { maskRatio: 0.75, decoder: { width: 8, depth: 2, heads: 2 } };
const method = mae(network, batch, config);
const [count, length] = [2 * 2 * 4, 2 * 32 * 32 * 64 * 2];
const images = noise(length, 1);
const fed = method.corruption(5, 0) as { patchMask: Float32Array; order: Int32Array; places: Int32Array };
const masked = maskedValues(fed.patchMask, 2, batch.crop, 2, 16);

/** The latent of the visible tokens, [B * 4, 12], and that of all, [B * 16, 12]. */
async function latents(image: Float32Array) {
  const state = createState(initialiseParameters(network.specs, 3), { engine: 'graph' });
  const pass = { training: false, dropoutKey: 0 };
  const step = compile(
    (inputs, parameters) => {
      const kept = { perItem: 4, order: inputs.order as Tensor1D, places: inputs.places as Tensor1D };
      const some = network.tokens!.encodeKept(inputs.images as Tensor5D, kept, parameters, pass);
      expect(some.shape).toEqual([2 * 4, 12]);
      return { some, all: network.encode(inputs.images as Tensor5D, parameters, pass).at(-1) as Tensor5D };
    },
    { name: 'encode', inputs: method.inputs, state, precision: 'float32' },
  );
  const values = await step.run({ ...fed, images: image });
  state.dispose();
  return values as { some: Float32Array; all: Float32Array };
}

let first: Awaited<ReturnType<typeof onePass>>;
beforeAll(async () => {
  first = await onePass(network, method, { ...fed, images });
});

describe('MAE', () => {
  it('masks 0.75 of the tokens of every crop, others in every step, the same ones again', () => {
    for (const item of [0, 1]) {
      const mask = fed.patchMask.subarray(item * count, (item + 1) * count);
      expect(mask.reduce((a, b) => a + b, 0)).toBe(12);
    }
    expect(method.corruption(5, 0)).toEqual(fed);
    expect(method.corruption(5, 1)).not.toEqual(fed);
  });

  it('keeps the visible tokens, item by item, and says where every token is', () => {
    const visible = fed.order.subarray(0, 2 * 4);
    for (const [i, row] of visible.entries()) expect([fed.patchMask[row], Math.floor(row / count)]).toEqual([0, Math.floor(i / 4)]);
    expect(Array.from(fed.order).sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * count }, (_, i) => i));
    expect(Array.from(fed.places, (place) => fed.order[place])).toEqual(Array.from({ length: 2 * count }, (_, i) => i));
  });

  it('gives its encoder visible tokens only: nothing under the mask changes what it makes of them', async () => {
    const [one, other] = [await latents(images), await latents(images.map((value, i) => (masked[i] ? 1 - value : value)))];
    expect(other.some).toEqual(one.some);
    expect(other.all).not.toEqual(one.all);
    const seen = await latents(images.map((value, i) => (masked[i] ? value : 1 - value)));
    for (let row = 0; row < 8; row++) expect(seen.some.slice(12 * row, 12 * row + 12)).not.toEqual(one.some.slice(12 * row, 12 * row + 12));
  });

  it('encodes all tokens as the whole network does, each at its own place, where all are kept', async () => {
    const state = createState(initialiseParameters(network.specs, 3), { engine: 'graph' });
    const pass = { training: false, dropoutKey: 0 };
    const step = compile(
      (inputs, parameters) => ({
        some: network.tokens!.encodeKept(
          inputs.images as Tensor5D,
          { perItem: count, order: inputs.order as Tensor1D, places: inputs.places as Tensor1D },
          parameters,
          pass,
        ),
        all: network.encode(inputs.images as Tensor5D, parameters, pass).at(-1) as Tensor5D,
      }),
      { name: 'encode', inputs: method.inputs, state, precision: 'float32' },
    );
    // Backwards within each item, so that a token's place is not its row.
    const order = Int32Array.from({ length: 2 * count }, (_, i) => Math.floor(i / count) * count + count - 1 - (i % count));
    const { some, all } = (await step.run({ images, patchMask: fed.patchMask, order, places: order })) as Record<string, Float32Array>;
    state.dispose();
    order.forEach((row, i) => {
      for (let c = 0; c < 12; c++) expect(some![12 * i + c]).toBeCloseTo(all![12 * row + c]!, 4); // sums of attention in another order
    });
  });

  it('scores masked voxels alone, by the squared difference, and sees 0 in them', () => {
    const { seen, prediction, total, reconstruction } = first;
    const errors: number[] = [];
    masked.forEach((isMasked, i) => {
      if (seen[i] !== (isMasked ? 0 : images[i])) expect.fail(`value ${i} is seen as ${seen[i]}`);
      if (isMasked) errors.push((prediction[i]! - images[i]!) ** 2);
      else if (prediction[i] !== images[i]) expect.fail(`visible value ${i} was changed`);
    });
    expect(errors).toHaveLength(2 * 12 * 16 ** 3 * 2);
    expect(total).toBeCloseTo(meanOf(errors), 5);
    expect(reconstruction).toBe(total);
  });

  it('predicts masked voxels without a look at them, and differently at different places', async () => {
    const changed = images.map((value, i) => (masked[i] ? 1 - value : value));
    const other = await onePass(network, method, { ...fed, images: changed });
    masked.forEach((isMasked, i) => {
      if (isMasked && first.prediction[i] !== other.prediction[i])
        expect.fail(`masked value ${i} is ${first.prediction[i]} or ${other.prediction[i]}`);
    });
    // The first voxel of every masked token of an item: were there no positions, all would be the same.
    const corners = Array.from(fed.patchMask.subarray(0, count), (isMasked, at) => {
      const [z, y, x] = [Math.floor(at / 8), Math.floor(at / 4) % 2, at % 4];
      return isMasked ? [first.prediction[((16 * z * 32 + 16 * y) * 64 + 16 * x) * 2]] : [];
    }).flat();
    expect(new Set(corners).size).toBe(12);
  });

  it('teaches every parameter of the encoder and of its own decoder, and leaves the decoder of the network out', () => {
    const { specs, reached } = first;
    const names = specs.map(({ name }) => name);
    expect(names.filter((name) => !reached.includes(name))).toEqual([]);
    const encoder = network.specs.map(({ name }) => name).filter((name) => isEncoderParameter(network, name));
    expect(names.filter((name) => !name.startsWith('pretext.'))).toEqual(encoder);
    expect(names.filter((name) => name.startsWith('pretext.'))).toHaveLength(2 + 1 + 1 + 2 * 11 + 2 + 2);
    expect(method.encoderOnly).toBe(true);
  });

  it('is taken to need the memory of its visible tokens alone', () => {
    expect(pretrainingBytes(network, method, batch)).toBe(network.encoderBytes(batch.size, batch.crop) / 4);
    const whole = modelsGenesis(network, batch);
    expect(pretrainingBytes(network, whole, batch)).toBe(network.encoderBytes(batch.size, batch.crop));
  });

  it('refuses a network that cannot encode some tokens alone, ratios that leave nothing, and heads that do not divide', () => {
    const unet = makeNetwork({ name: 'unet', features: [4, 4, 4, 4, 4, 4], dropout: 0 }, { inChannels: 2, outChannels: 2 });
    expect(() => mae(unet, batch, config)).toThrow(
      'method.name mae goes with network.name unetr alone, because it encodes visible tokens without the masked ones, but network.name is unet',
    );
    expect(() => mae(network, batch, { ...config, maskRatio: 0.99 })).toThrow(/method.maskRatio 0.99 masks 16 of the 16 tokens/);
    expect(() => mae(network, batch, { ...config, maskRatio: 0.01 })).toThrow(/masks 0 of the 16 tokens/);
    expect(() => mae(network, batch, { ...config, decoder: { width: 8, depth: 1, heads: 3 } })).toThrow(/decoder.width is 8, but must be a multiple/);
  });
});
