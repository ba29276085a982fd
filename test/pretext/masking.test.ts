import { describe, expect, it } from 'vitest';
import { makeNetwork, type NetworkSettings } from '../../src/network/index.js';
import { type MethodConfig, pretextMethod } from '../../src/pretext/index.js';

const unet: NetworkSettings = { name: 'unet', features: [4, 4, 4, 4, 4, 4], pools: [2, 2, 2, 2], dropout: 0 };
const swin: NetworkSettings = {
  name: 'swin-unetr',
  featureSize: 12,
  depths: [1, 1, 1, 1],
  numHeads: [1, 1, 1, 1],
  window: [2, 2, 2],
  version: 1,
  merging: 'merging',
  dropout: 0,
};
const unetr: NetworkSettings = {
  name: 'unetr',
  imageSize: [96, 32, 64],
  featureSize: 4,
  hiddenSize: 12,
  mlpDim: 16,
  numHeads: 2,
  dropout: 0,
};
const weights = { reconstruction: 1, number: 0.1, location: 0.1, consistency: 0.01, contrast: 0 };
const hybridMim: MethodConfig = {
  name: 'hybridmim',
  subVolume: 32,
  patch: 16,
  region: 32,
  maskRatio: 0.4,
  weights,
  reconstruction: 'l2',
  consistency: 'soft',
  temperature: 0.5,
  subVolumeFeatures: 'cells',
  mask: 'zero',
  output: 'linear',
  contrastFeatures: 'mean',
  contrastDim: 8,
};
const crop = [64, 32, 96] as const; // 4 x 2 x 6 cubes of 16 voxels
const patches = 4 * 2 * 6;
const [batch, steps] = [2, 5000];
const draws = batch * steps;

const methods: readonly (readonly [string, NetworkSettings, MethodConfig, number])[] = [
  ['HybridMIM', unet, hybridMim, 0.4],
  ['SimMIM', unet, { name: 'simmim', patch: 16, maskRatio: 0.6 }, 0.6],
  ['UNetFormer', swin, { name: 'unetformer', patch: 16, maskRatio: 0.4 }, 0.4],
  ['MAE', unetr, { name: 'mae', maskRatio: 0.75, decoder: { width: 8, depth: 1, heads: 1 } }, 0.75],
];

describe.each(methods)('the masks of %s', (_, settings, config, ratio) => {
  const network = makeNetwork(settings, { inChannels: 1, outChannels: 1 });
  const method = pretextMethod(network, { size: batch, crop, scaledTargets: false }, config);
  const maskOf = (seed: number, step: number) => method.corruption(seed, step).patchMask as Float32Array;
  const masked = Math.round(ratio * patches);
  const drawn = Array.from({ length: steps }, (_, step) => maskOf(3, step)).flatMap((mask) => [
    mask.slice(0, patches),
    mask.slice(patches),
  ]);

  it(`are exactly ${ratio} of the tokens of each of 10,000 crops, whole ones`, () => {
    expect(drawn).toHaveLength(draws);
    for (const mask of drawn) {
      let [ones, zeros] = [0, 0];
      for (const value of mask) {
        if (value === 1) ones++;
        else if (value === 0) zeros++;
      }
      if (ones !== masked || zeros !== patches - masked)
        expect.fail(`a crop has ${ones} masked and ${zeros} visible tokens`);
    }
  });

  it('have every token as often as the others within three standard deviations, and every two beside each other', () => {
    const share = masked / patches;
    // Each token's count has the variance of draws * share * (1 - share) over its square in the sum, which therefore has the mean `patches`;
    // since a crop's masks sum to `masked`, it is that of patches - 1 free ones, stretched.
    const squares = Array.from({ length: patches }, (_, i) => {
      const count = drawn.reduce((sum, mask) => sum + mask[i]!, 0);
      return (count - draws * share) ** 2 / (draws * share * (1 - share));
    });
    const chiSquared = squares.reduce((a, b) => a + b, 0);
    expect(Math.abs(chiSquared - patches)).toBeLessThanOrEqual(
      3 * (patches / (patches - 1)) * Math.sqrt(2 * (patches - 1)),
    );
    const pair = share * ((masked - 1) / (patches - 1));
    for (const [one, other] of [
      [0, 1],
      [0, 6],
      [5, 47],
    ] as const) {
      const together = drawn.filter((mask) => mask[one] === 1 && mask[other] === 1).length;
      expect(Math.abs(together / draws - pair)).toBeLessThanOrEqual(
        3 * Math.sqrt((pair * (1 - pair)) / draws),
      );
    }
  });

  it('are the same for the same seed and step, and others for another seed, step or item', () => {
    expect(method.corruption(3, 17)).toEqual(method.corruption(3, 17));
    const mask = maskOf(3, 17);
    for (const other of [maskOf(4, 17), maskOf(3, 18)]) expect(other).not.toEqual(mask);
    expect(mask.slice(0, patches)).not.toEqual(mask.slice(patches));
  });
});
