import { nameScope, type Tensor2D, type Tensor5D, tf } from '../engine/index.js';
import { meanSquaredError } from '../losses/index.js';
import {
  latentOf,
  type Network,
  type Parameters,
  STILL,
  type StepInputs,
  stepInput,
} from '../network/index.js';
import type { PretextBatch, PretextMethod } from './method.js';

/**
 * The auto-encoder of TransVW's visual words (Haghighi et al. 2021): the network restores the whole image
 * from its latent alone. Its skip connections carry zeros, for with them the image would pass by the latent,
 * whose mean is the feature of a patient.
 */
export function autoEncoder(network: Network, batch: PretextBatch): PretextMethod {
  return {
    name: 'auto-encoder',
    heads: [],
    inputs: { images: { shape: [batch.size, ...batch.crop, network.inChannels], dtype: 'float32' } },
    corruption: () => ({}),
    losses: (inputs, parameters, training) => {
      const images = stepInput(inputs, 'images', 5);
      const reconstruction = meanSquaredError(restored(network, images, parameters, training), images);
      return { total: reconstruction, reconstruction };
    },
    reconstruct: (inputs, parameters) => {
      const seen = stepInput(inputs, 'images', 5);
      return { target: seen, seen, prediction: restored(network, seen, parameters, false) };
    },
  };
}

function restored(network: Network, images: Tensor5D, parameters: Parameters, training: boolean): Tensor5D {
  const pass = { training, dropoutKey: 0 };
  const levels = network.encode(images, parameters, pass);
  const latentAlone = levels.map((level, i) => (i === levels.length - 1 ? level : tf.zerosLike(level)));
  const logits = network.decode(latentAlone, parameters, pass);
  return nameScope('sigmoid', () => tf.sigmoid(logits));
}

/** The feature of each image: its latent, averaged over space. [B, latentChannels] */
export function imageFeatures(network: Network, inputs: StepInputs, parameters: Parameters): Tensor2D {
  const latent = latentOf(network.encode(stepInput(inputs, 'images', 5), parameters, STILL));
  return latent.mean([1, 2, 3]);
}
