import { describe, expect, it } from 'vitest';
import { makeNetwork, type NetworkSettings } from '../../src/network/index.js';
import { unetFormer } from '../../src/pretext/index.js';
import { onePass } from './one-pass.js';
import { maskedValues, meanOf, noise } from './plain-loops.js';

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
const [patches, length] = [4 * 4 * 8, 2 * 32 * 32 * 64 * 2];
const images = noise(length, 1);
const { patchMask } = method.corruption(5, 0) as { patchMask: Float32Array };

describe('UNetFormer', () => {
  it('masks 0.4 of the tokens of every crop, others in every step, the same ones again', () => {
    for (const item of [0, 1]) {
      const masked = patchMask.subarray(item * patches, (item + 1) * patches);
      expect(masked.reduce((a, b) => a + b, 0)).toBe(Math.round(0.4 * patches));
    }
    expect(patchMask.slice(0, patches)).not.toEqual(patchMask.slice(patches));
    expect(method.corruption(5, 0).patchMask).toEqual(patchMask);
    expect(method.corruption(5, 1).patchMask).not.toEqual(patchMask);
  });

  it('sees 0 in masked voxels, and scores masked voxels of the whole crop alone, by the absolute difference', async () => {
    const { seen, prediction, total, reconstruction } = await onePass(network, method, { images, patchMask });
    const errors: number[] = [];
    maskedValues(patchMask, 2, batch.crop, 2, 8).forEach((masked, i) => {
      if (seen[i] !== (masked ? 0 : images[i])) expect.fail(`value ${i} is seen as ${seen[i]}`);
      if (masked) errors.push(Math.abs(prediction[i]! - images[i]!));
      else if (prediction[i] !== images[i]) expect.fail(`visible value ${i} was changed`);
    });
    expect(errors).toHaveLength(2 * Math.round(0.4 * patches) * 8 ** 3 * 2);
    expect(total).toBeCloseTo(meanOf(errors), 5);
    expect(reconstruction).toBe(total);
  });

  it('scores MR against values that are scaled to [0, 1], background left at 0', async () => {
    const scaled = unetFormer(network, { ...batch, scaledTargets: true }, { patch: 8, maskRatio: 0.4 });
    const zScored = images.map((value, i) => (i % 7 === 0 ? 0 : 4 * value - 2));
    const scales = { targetScale: Float32Array.of(0.5, 0.2, 0.3, 0.4), targetShift: Float32Array.of(0.1, 0.6, 0.2, 0.3) };
    const { prediction, total } = await onePass(network, scaled, { images: zScored, patchMask, ...scales });
    const errors: number[] = [];
    maskedValues(patchMask, 2, batch.crop, 2, 8).forEach((masked, i) => {
      const of = 2 * Math.floor(i / (length / 2)) + (i % 2); // item and channel
      const value = zScored[i]! * scales.targetScale[of]! + scales.targetShift[of]!;
      if (masked) errors.push(Math.abs(prediction[i]! - (zScored[i] === 0 ? 0 : Math.min(1, Math.max(0, value)))));
    });
    expect(total).toBeCloseTo(meanOf(errors), 5);
  });

  it('fills masked voxels without a look at them', async () => {
    const masked = maskedValues(patchMask, 2, batch.crop, 2, 8);
    const changed = images.map((value, i) => (masked[i] ? 1 - value : value));
    const [one, other] = [await onePass(network, method, { images, patchMask }), await onePass(network, method, { images: changed, patchMask })];
    masked.forEach((isMasked, i) => {
      if (isMasked && one.prediction[i] !== other.prediction[i]) expect.fail(`masked value ${i} is ${one.prediction[i]} or ${other.prediction[i]}`);
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

  it('refuses tokens that do not divide the crop, and a network without a Swin encoder', () => {
    expect(() => unetFormer(network, batch, { patch: 12, maskRatio: 0.4 })).toThrow(/data.cropSize 32 must be divisible by method.patch 12/);
    const unet = makeNetwork({ name: 'unet', features: [4, 4, 4, 4, 4, 4], dropout: 0 }, { inChannels: 2, outChannels: 2 });
    expect(() => unetFormer(unet, batch, { patch: 8, maskRatio: 0.4 })).toThrow(
      'method.name unetformer goes with network.name swin-unetr alone, because it masks the tokens of a Swin encoder, but network.name is unet',
    );
  });
});
