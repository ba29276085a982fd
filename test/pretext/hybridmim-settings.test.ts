import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { unet } from '../../src/network/index.js';
import { contrastChance } from '../../src/pretext/chance.js';
import {
  cropFeatures,
  type HybridMimConfig,
  hybridMim,
  hybridMimHeads,
  hybridMimSettings,
  leastHybridMimBatch,
} from '../../src/pretext/hybridmim.js';

const network = unet({
  ...{ inChannels: 1, outChannels: 1, features: [4, 4, 4, 6, 8, 4], pools: [2, 2, 2, 2], dropout: 0.1 },
});
const settings: HybridMimConfig = {
  ...hybridMimSettings.parse({ name: 'hybridmim', subVolume: 16, patch: 8, region: 32 }),
  region: 32,
};
const batch = { size: 4, crop: [32, 32, 32], scaledTargets: false } as const;
const tasks = ['number', 'location', 'consistency', 'contrast', 'reconstruction'] as const;

/** Settings in which one task alone has a weight. */
const only = (task: (typeof tasks)[number]): HybridMimConfig => ({
  ...settings,
  weights: { reconstruction: 0, number: 0, location: 0, consistency: 0, contrast: 0, [task]: 0.5 },
});

describe('settings of HybridMIM', () => {
  it("have the paper's values where the file says nothing", () => {
    const { name: _, ...defaults } = hybridMimSettings.parse({ name: 'hybridmim', region: 32 });
    expect(defaults).toMatchObject({
      maskRatio: 0.4,
      weights: { reconstruction: 1, number: 0.1, location: 0.1, consistency: 0.01, contrast: 0.1 },
      reconstruction: 'l2',
      consistency: 'soft',
      subVolume: 32,
      patch: 16,
      subVolumeFeatures: 'cells',
      contrastFeatures: 'octants',
      mask: 'zero',
      output: 'linear',
      contrastDim: 384,
    });
  });

  it('take a weight of 0 but none below, and a temperature above 0 alone', () => {
    const found = (extra: object) => hybridMimSettings.safeParse({ name: 'hybridmim', region: 32, ...extra });
    expect(found({ weights: { number: 0 } }).success).toBe(true);
    expect(found({ weights: { number: -0.1 } }).success).toBe(false);
    expect(hybridMimSettings.parse({ name: 'hybridmim', region: 32 }).temperature).toBe(0.5);
    expect([found({ temperature: 0.01 }).success, found({ temperature: 0 }).success]).toEqual([true, false]);
  });

  it.each(tasks)('tell what knowing nothing costs for the tasks that have a weight alone: %s', (task) => {
    const { chance } = hybridMim(network, batch, only(task));
    const known = { number: ['number'], location: ['location'], contrast: ['contrast'] } as Record<
      string,
      string[]
    >;
    expect(Object.keys(chance ?? {})).toEqual(known[task] ?? []);
    if (task === 'contrast') expect(chance?.contrast).toBe(contrastChance(4));
  });

  it('need two crops for the contrast, and one without it', () => {
    expect([leastHybridMimBatch(only('contrast')), leastHybridMimBatch(only('number'))]).toEqual([2, 1]);
  });

  it('give the contrast the octants of a latent, and its one cell where the crop is one', () => {
    const inputsOf = (crop: readonly [number, number, number]) =>
      hybridMimHeads(network, { crop }, 8, only('contrast')).find(
        ({ name }) => name === 'pretext.contrast.weight',
      )?.shape[0];
    expect(inputsOf([32, 32, 32])).toBe(8 * network.latentChannels);
    expect(inputsOf([48, 48, 80])).toBe(8 * network.latentChannels); // odd numbers of cells
    expect(inputsOf([32, 16, 32])).toBe(4 * network.latentChannels);
    expect(inputsOf([16, 16, 16])).toBe(network.latentChannels);
  });

  it('take the means of the halves of an axis, and its one cell where it has one', () => {
    const latent = tf.tensor([1, 2, 3, 4, 5, 6], [1, 1, 3, 1, 2], 'float32');
    const features = cropFeatures(latent as Parameters<typeof cropFeatures>[0], 'octants');
    expect([...features.dataSync()]).toEqual([1, 2, 4, 5]);
    tf.dispose([latent, features]);
  });
});
