import { z } from 'zod';
import { classLoss, meanSquaredError } from '../losses/index.js';
import { linear, type Network, stepInput } from '../network/index.js';
import { linearHead } from './head.js';
import {
  type MethodSettings,
  type PretextBatch,
  type PretextMethod,
  pretextPrefix,
  voxels,
} from './method.js';
import { requirePaintable, restorationInputs, restore } from './models-genesis.js';

/** The settings of TransVW; the defaults are those of the released code. */
export const transVwSettings = z.strictObject({
  name: z.literal('transvw'),
  words: z.int().min(2).default(44).describe('Visual words, the classes.'),
  instances: z.int().min(1).default(200).describe('Crops of each word, from as many patients.'),
  wordWeight: z.number().min(0).default(0.01).describe("Of the word's cross-entropy beside the restoration."),
  autoEncoder: z
    .strictObject({
      side: voxels.default(64).describe('Side of the cube in voxels.'),
      steps: z.int().min(1).default(5000).describe('Steps of its training.'),
      batchSize: z.int().min(1).default(4).describe('Scans of a step.'),
      learningRate: z.number().gt(0).default(1e-4).describe('Its learning rate.'),
    })
    .prefault({})
    .describe('Training of the auto-encoder that finds patients alike, on whole scans shrunk to cubes.'),
});

export type TransVwConfig = MethodSettings<typeof transVwSettings>;

const HEAD = 'word';

/**
 * TransVW (Haghighi et al. 2021): crops of visual words, corrupted by one of four ways in the loader's
 * workers, are restored (mean squared error over the whole crop, sigmoid output) and their word is told from
 * the latent (cross-entropy).
 * @throws UsageError when the crop is too small to paint in
 */
export function transVw(
  network: Network,
  batch: PretextBatch,
  { words, wordWeight }: TransVwConfig,
): PretextMethod {
  requirePaintable(batch);
  return {
    name: 'transvw',
    chance: { word: Math.log(words) },
    heads: linear(`${pretextPrefix}${HEAD}`, network.latentChannels, words),
    inputs: { ...restorationInputs(network, batch), words: { shape: [batch.size], dtype: 'int32' } },
    corruption: () => ({}),
    losses: (inputs, parameters, training) => {
      const { latent, prediction } = restore(network, inputs, parameters, training);
      const reconstruction = meanSquaredError(prediction, stepInput(inputs, 'images', 5));
      const logits = linearHead(HEAD, latent.mean([1, 2, 3]), parameters);
      const word = classLoss(logits, stepInput(inputs, 'words', 1));
      return { total: reconstruction.add(word.mul(wordWeight)), reconstruction, word };
    },
    reconstruct: (inputs, parameters) => {
      const { prediction } = restore(network, inputs, parameters, false);
      return { target: stepInput(inputs, 'images', 5), seen: stepInput(inputs, 'corrupted', 5), prediction };
    },
  };
}
