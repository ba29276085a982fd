import { z } from 'zod';
import { nameScope, type Tensor5D, tf } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { reconstructionLoss } from '../losses/index.js';
import {
  latentOf,
  linear,
  type Network,
  type Parameters,
  type StepInputs,
  stepInput,
} from '../network/index.js';
import { cellsToVoxels } from './cells-to-voxels.js';
import { linearHead } from './head.js';
import { maskToken, tokenVoxel } from './mask-token.js';
import {
  type MethodSettings,
  openShare,
  type PretextBatch,
  type PretextMethod,
  pretextPrefix,
  type Reconstruction,
  voxels,
} from './method.js';
import { maskBatch, type PatchGrid, voxelMask, wholeGrid } from './patch-grid.js';
import { filledMask, reconstructionTarget, scaledTargetInputs } from './scaled-targets.js';

/** The settings of SimMIM; the share is its own, the side of its patches in two dimensions is 32 pixels. */
export const simMimSettings = z.strictObject({
  name: z.literal('simmim'),
  patch: voxels.default(16).describe('Side of a masked patch in voxels.'),
  maskRatio: openShare.default(0.6).describe("Share of the crop's patches that is masked."),
});

export type SimMimConfig = MethodSettings<typeof simMimSettings>;

const HEAD = 'reconstruction';

/**
 * SimMIM (Xie et al. 2022) in three dimensions: masked patches are replaced by a learned token, and one
 * linear layer on the encoder's last level predicts the voxels that each of its cells spans; mean absolute
 * error over the masked voxels. A convolutional encoder has no tokens, so that the mask token is a value a
 * channel, put into the voxels.
 * @throws UsageError when patches do not divide the crop or the crop does not divide into cells
 */
export function simMim(
  network: Network,
  batch: PretextBatch,
  { patch, maskRatio }: SimMimConfig,
): PretextMethod {
  const grid = wholeGrid(batch.crop, patch);
  requireWholeCells(network, batch);
  const cellVoxels = network.latentStride ** 3 * network.inChannels;
  return {
    name: 'simmim',
    heads: [
      ...linear(`${pretextPrefix}${HEAD}`, network.latentChannels, cellVoxels),
      maskToken(network.inChannels),
    ],
    encoderOnly: true,
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
 * One pass over the masked crops: what the encoder saw, the mask of voxels [B, D, H, W, 1], and the
 * prediction, as the images.
 */
function fill(
  network: Network,
  grid: PatchGrid,
  inputs: StepInputs,
  parameters: Parameters,
  training: boolean,
) {
  const images = stepInput(inputs, 'images', 5);
  const mask = nameScope('mask', () => voxelMask(stepInput(inputs, 'patchMask', 4), grid.patch));
  const seen = nameScope('mask', () =>
    images.mul(tf.scalar(1).sub(mask)).add<Tensor5D>(mask.mul(tokenVoxel(parameters))),
  );
  const latent = latentOf(network.encode(seen, parameters, { training, dropoutKey: 0 }));
  // [B * d * h * w, s^3 * C]
  const cells = linearHead(HEAD, latent.reshape([-1, network.latentChannels]), parameters);
  return {
    seen,
    mask,
    prediction: nameScope('cells to voxels', () =>
      cellsToVoxels(cells, latent.shape, network.latentStride, network.inChannels),
    ),
  };
}

function requireWholeCells({ name, latentStride }: Network, { crop }: PretextBatch): void {
  const side = crop.find((voxels) => voxels % latentStride !== 0);
  if (side === undefined) return;
  throw new UsageError(
    `data.cropSize has a side of ${side} voxels, but one cell of the latent of ${name} spans ` +
      `${latentStride}: make it a multiple`,
    {
      field: 'data.cropSize',
      found: side,
    },
  );
}
