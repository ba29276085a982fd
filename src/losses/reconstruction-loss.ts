import type { Scalar, Tensor5D } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { sameShape } from './same-shape.js';

/** `l2` squared difference, `l1` absolute difference. */
export type ReconstructionDistance = 'l2' | 'l1';

/**
 * Partial reconstruction loss (paper eq. 1): mean distance between prediction and image over the masked
 * voxels of the target region, over all their channels and the whole batch. Visible voxels do not count. 0 if
 * nothing is masked there.
 * @param prediction [B, D, H, W, C] of the target region
 * @param images     [B, D, H, W, C] the unmasked image, same region
 * @param voxelMask  [B, D, H, W, 1] 1 where the input was masked, else 0
 * @throws ShapeError when the shapes do not fit
 */
export function reconstructionLoss(
  prediction: Tensor5D,
  images: Tensor5D,
  voxelMask: Tensor5D,
  distance: ReconstructionDistance = 'l2',
): Scalar {
  sameShape('reconstruction loss', prediction, images);
  const channels = images.shape[4];
  if (voxelMask.shape.join() !== [...images.shape.slice(0, 4), 1].join()) {
    throw new ShapeError(
      `reconstruction loss: the mask [${voxelMask.shape}] must be [${images.shape.slice(0, 4)},1]`,
    );
  }
  const maskedDifference = prediction.sub(images).mul(voxelMask);
  // A 0/1 mask is its own square.
  const error = distance === 'l2' ? maskedDifference.square() : maskedDifference.abs();
  const maskedValues = voxelMask.sum().mul(channels).maximum(1);
  return error.sum().div(maskedValues);
}
