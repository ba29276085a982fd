import { beforeAll, describe, expect, it } from 'vitest';
import { compile, createState, type Tensor1D, type Tensor5D } from '../../src/engine/index.js';
import {
  initialiseParameters,
  isEncoderParameter,
  makeNetwork,
  type NetworkSettings,
} from '../../src/network/index.js';
import { mae, modelsGenesis } from '../../src/pretext/index.js';
import { pretrainingTask } from '../../src/training/pretraining-task.js';
import { onePass } from './one-pass.js';
import { maskedValues, noise } from './plain-loops.js';

const settings: NetworkSettings = {
  name: 'unetr',
  imageSize: [64, 32, 32],
  featureSize: 4,
  hiddenSize: 12,
  mlpDim: 16,
  numHeads: 2,
  dropout: 0.1,
};
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
  it('gives its encoder visible tokens only: nothing under the mask changes what it makes of them', async () => {
    const [one, other] = [
      await latents(images),
      await latents(images.map((value, i) => (masked[i] ? 1 - value : value))),
    ];
    expect(other.some).toEqual(one.some);
    expect(other.all).not.toEqual(one.all);
    const seen = await latents(images.map((value, i) => (masked[i] ? value : 1 - value)));
    for (let row = 0; row < 8; row++)
      expect(seen.some.slice(12 * row, 12 * row + 12)).not.toEqual(one.some.slice(12 * row, 12 * row + 12));
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
    const order = Int32Array.from(
      { length: 2 * count },
      (_, i) => Math.floor(i / count) * count + count - 1 - (i % count),
    );
    const { some, all } = (await step.run({
      images,
      patchMask: fed.patchMask,
      order,
      places: order,
    })) as Record<string, Float32Array>;
    state.dispose();
    order.forEach((row, i) => {
      for (let c = 0; c < 12; c++) expect(some![12 * i + c]).toBeCloseTo(all![12 * row + c]!, 4); // sums of attention in another order
    });
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
    expect(pretrainingTask({ network, method: method, batch, seed: 0 }).activationBytes).toBe(
      network.encoderBytes(batch.size, batch.crop) / 4,
    );
    const whole = modelsGenesis(network, batch);
    expect(pretrainingTask({ network, method: whole, batch, seed: 0 }).activationBytes).toBe(
      network.encoderBytes(batch.size, batch.crop),
    );
  });
});
