import { z } from 'zod';
import { nameScope, type Tensor5D, tf } from '../engine/index.js';
import { reconstructionLoss } from '../losses/index.js';
import { type Network, type Parameters, type StepInputs, stepInput } from '../network/index.js';
import {
  type MethodSettings,
  openShare,
  type PretextBatch,
  type PretextMethod,
  type Reconstruction,
  voxels,
} from './method.js';
import { maskBatch, type PatchGrid, voxelMask, wholeGrid } from './patch-grid.js';
import { requireNetwork } from './require-network.js';
import { filledMask, reconstructionTarget, scaledTargetInputs } from './scaled-targets.js';

/** The settings of UNetFormer; the defaults are our reading, since its code was not released. */
export const unetFormerSettings = z.strictObject({
  name: z.literal('unetformer'),
  patch: voxels.default(16).describe('Side of a masked token in voxels.'),
  maskRatio: openShare.default(0.4).describe("Share of the crop's tokens that is masked."),
});

export type UNetFormerConfig = MethodSettings<typeof unetFormerSettings>;

/**
 * UNetFormer (Hatamizadeh et al. 2022): a Swin encoder sees a crop some of whose volumetric tokens are
 * masked, and a convolutional decoder that takes skips of every resolution reconstructs the whole crop; mean
 * absolute error over the masked voxels. Its pre-training code was never released: size, ratio and distance
 * are our reading. Encoder and decoder are both kept.
 * @throws UsageError on another network than swin-unetr, and when tokens do not divide the crop
 */
export function unetFormer(
  network: Network,
  batch: PretextBatch,
  { patch, maskRatio }: UNetFormerConfig,
): PretextMethod {
  requireNetwork('unetformer', network, 'swin-unetr', 'masks the tokens of a Swin encoder');
  const grid = wholeGrid(batch.crop, patch);
  return {
    name: 'unetformer',
    heads: [],
    inputs: {
      images: { shape: [batch.size, ...batch.crop, network.inChannels], dtype: 'float32' },
      patchMask: { shape: [batch.size, ...grid.patches], dtype: 'float32' },
      ...scaledTargetInputs(batch, network.inChannels),
    },
    corruption: (seed, step) => ({ patchMask: maskBatch(grid, maskRatio, batch.size, seed, step).patchMask }),
    losses: (inputs, parameters, training) => {
      const { prediction, mask } = fill(network, grid, inputs, parameters, training);
      const reconstruction = reconstructionLoss(
        prediction,
        reconstructionTarget(stepInput(inputs, 'images', 5), inputs),
        mask,
        'l1',
      );
      return { total: reconstruction, reconstruction };
    },
    reconstruct: (inputs, parameters): Reconstruction => {
      const { prediction, mask } = fill(network, grid, inputs, parameters, false);
      return filledMask(inputs, mask, prediction);
    },
  };
}

/**
 * One pass over the masked crops: what the network saw, the mask of voxels [B, D, H, W, 1], and the
 * prediction of every voxel.
 */
function fill(
  network: Network,
  grid: PatchGrid,
  inputs: StepInputs,
  parameters: Parameters,
  training: boolean,
) {
  const mask = nameScope('mask', () => voxelMask(stepInput(inputs, 'patchMask', 4), grid.patch));
  // The finest skip is of the voxels themselves, so that they are masked as well as the tokens.
  const seen = nameScope('mask', () => stepInput(inputs, 'images', 5).mul<Tensor5D>(tf.scalar(1).sub(mask)));
  const pass = { training, dropoutKey: 0 };
  const levels = network.encode(seen, parameters, { ...pass, masked: mask });
  return { seen, mask, prediction: network.decode(levels, parameters, pass) };
}
