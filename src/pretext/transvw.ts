import type { Scalar, Tensor1D, Tensor2D, Tensor5D } from '../engine/index.js';
import { classLoss, meanSquaredError } from '../losses/index.js';
import { linear, type Network } from '../network/index.js';
import { linearHead } from './head.js';
import type { PretextBatch, PretextMethod } from './method.js';
import { pretextPrefix } from './method.js';
import { requirePaintable, restorationInputs, restore } from './models-genesis.js';

export interface TransVwConfig {
  /** Visual words, the classes. The released code's 44. */
  readonly words: number;
  /** Crops of each word, from as many patients. The released code's 200. */
  readonly instances: number;
  /** Of the word's cross-entropy beside the restoration. The released code's 0.01. */
  readonly wordWeight: number;
  /** Training of the auto-encoder that finds patients alike. */
  readonly autoEncoder: {
    /** Side of the cube that every scan is shrunk to, in voxels. */
    readonly side: number;
    readonly steps: number;
    readonly batchSize: number;
    readonly learningRate: number;
  };
}

const HEAD = 'word';

/**
 * TransVW (Haghighi et al. 2021): crops of visual words, corrupted by one of four ways in the loader's workers, are restored (mean squared
 * error over the whole crop, sigmoid output) and their word is told from the latent (cross-entropy).
 * @throws UsageError when the crop is too small to paint in
 */
export function transVw(network: Network, batch: PretextBatch, { words, wordWeight }: TransVwConfig): PretextMethod {
  requirePaintable(batch);
  return {
    name: 'transvw',
    heads: linear(`${pretextPrefix}${HEAD}`, network.latentChannels, words),
    inputs: { ...restorationInputs(network, batch), words: { shape: [batch.size], dtype: 'int32' } },
    corruption: () => ({}),
    losses: (inputs, parameters, training) => {
      const { latent, prediction } = restore(network, inputs, parameters, training);
      const reconstruction = meanSquaredError(prediction, inputs.images as Tensor5D);
      const logits = linearHead(HEAD, latent.mean([1, 2, 3]) as Tensor2D, parameters);
      const word = classLoss(logits, inputs.words as Tensor1D);
      return { total: reconstruction.add(word.mul(wordWeight)) as Scalar, reconstruction, word };
    },
    reconstruct: (inputs, parameters) => {
      const { prediction } = restore(network, inputs, parameters, false);
      return { seen: inputs.corrupted as Tensor5D, prediction };
    },
  };
}
