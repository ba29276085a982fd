import { z } from 'zod';
import { SMALLEST_SIDE } from '../corruption/index.js';
import { nameScope, tf } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { meanSquaredError } from '../losses/index.js';
import { latentOf, type Network, type Parameters, type StepInputs, stepInput } from '../network/index.js';
import type { PretextBatch, PretextMethod } from './method.js';

const share = z.number().min(0).max(1);

/** The settings of Models Genesis: the probabilities of its corruptions, as its paper and code have them. */
export const modelsGenesisSettings = z.strictObject({
  name: z.literal('models-genesis'),
  flip: share.default(0.4).describe('Of a flip, and of another one after it, up to three.'),
  shuffle: share.default(0.5).describe('Of local pixel shuffling.'),
  nonlinear: share.default(0.9).describe('Of a non-linear intensity transformation.'),
  paint: share.default(0.9).describe('Of in- or out-painting.'),
  inPaint: share.default(0.2).describe('Of in-painting, where there is painting.'),
});

/**
 * Models Genesis (Zhou et al. 2019): the loader's workers flip, shuffle, bend and paint each crop, and the
 * network restores all of it, with a sigmoid output, by the mean squared error over the whole crop.
 * @throws UsageError when the crop is too small to paint in
 */
export function modelsGenesis(network: Network, batch: PretextBatch): PretextMethod {
  requirePaintable(batch);
  return {
    name: 'models-genesis',
    heads: [],
    inputs: restorationInputs(network, batch),
    corruption: () => ({}),
    losses: (inputs, parameters, training) => {
      const { prediction } = restore(network, inputs, parameters, training);
      const reconstruction = meanSquaredError(prediction, stepInput(inputs, 'images', 5));
      return { total: reconstruction, reconstruction };
    },
    reconstruct: (inputs, parameters) => {
      const { prediction } = restore(network, inputs, parameters, false);
      return { target: stepInput(inputs, 'images', 5), seen: stepInput(inputs, 'corrupted', 5), prediction };
    },
  };
}

/** Inputs of a method that restores what the loader corrupted. */
export function restorationInputs(network: Network, batch: PretextBatch) {
  const shape = [batch.size, ...batch.crop, network.inChannels];
  return { images: { shape, dtype: 'float32' as const }, corrupted: { shape, dtype: 'float32' as const } };
}

/** One pass over the corrupted crops: the latent, and the restored crops in (0, 1), [B, D, H, W, C]. */
export function restore(network: Network, inputs: StepInputs, parameters: Parameters, training: boolean) {
  const pass = { training, dropoutKey: 0 };
  const levels = network.encode(stepInput(inputs, 'corrupted', 5), parameters, pass);
  const logits = network.decode(levels, parameters, pass);
  return { latent: latentOf(levels), prediction: nameScope('sigmoid', () => tf.sigmoid(logits)) };
}

/** @throws UsageError when a side of the crop has no room for the windows of in- and out-painting */
export function requirePaintable({ crop }: PretextBatch): void {
  const side = Math.min(...crop);
  if (side >= SMALLEST_SIDE) return;
  throw new UsageError(
    `data.cropSize has a side of ${side} voxels, but the corruptions of this method need at least ` +
      `${SMALLEST_SIDE}`,
    {
      field: 'data.cropSize',
      found: side,
      expected: SMALLEST_SIDE,
    },
  );
}
