import { describe, expect, it } from 'vitest';
import { makeNetwork, type NetworkSettings } from '../../src/network/index.js';
import { unetFormer } from '../../src/pretext/index.js';
import { onePass } from './one-pass.js';
import { maskedValues, noise } from './plain-loops.js';

const settings: NetworkSettings = {
  name: 'swin-unetr',
  featureSize: 12,
  depths: [1, 2, 1, 1],
  numHeads: [3, 3, 3, 3],
  window: [4, 4, 4],
  version: 1,
  merging: 'merging',
  dropout: 0.1,
};
const network = makeNetwork(settings, { inChannels: 2, outChannels: 2 });
const batch = { size: 2, crop: [32, 32, 64] as const, scaledTargets: false };
const method = unetFormer(network, batch, { patch: 8, maskRatio: 0.4 });
const length = 2 * 32 * 32 * 64 * 2;
const images = noise(length, 1);
const { patchMask } = method.corruption(5, 0) as { patchMask: Float32Array };

describe('UNetFormer', () => {
  it('fills masked voxels without a look at them', async () => {
    const masked = maskedValues(patchMask, 2, batch.crop, 2, 8);
    const changed = images.map((value, i) => (masked[i] ? 1 - value : value));
    const [one, other] = [
      await onePass(network, method, { images, patchMask }),
      await onePass(network, method, { images: changed, patchMask }),
    ];
    masked.forEach((isMasked, i) => {
      if (isMasked && one.prediction[i] !== other.prediction[i])
        expect.fail(`masked value ${i} is ${one.prediction[i]} or ${other.prediction[i]}`);
    });
    expect(other.total).not.toBe(one.total);
  });

  it('teaches every parameter of encoder and decoder, skips of all resolutions included, and has no head', async () => {
    const { specs, reached } = await onePass(network, method, { images, patchMask });
    expect(specs.map(({ name }) => name)).toEqual(network.specs.map(({ name }) => name));
    expect(network.specs.filter(({ name }) => !reached.includes(name)).map(({ name }) => name)).toEqual([]);
    expect(method.heads).toEqual([]);
    expect(method.encoderOnly).toBeUndefined();
  });
});
