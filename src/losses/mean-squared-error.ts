import type { Scalar, Tensor5D } from '../engine/index.js';
import { sameShape } from './same-shape.js';

/**
 * Mean squared difference over all voxels and channels: the restoration loss of Models Genesis and TransVW.
 * @param prediction [B, D, H, W, C]
 * @param images     [B, D, H, W, C]
 * @returns scalar
 * @throws ShapeError when the shapes differ
 */
export function meanSquaredError(prediction: Tensor5D, images: Tensor5D): Scalar {
  sameShape('mean squared error', prediction, images);
  return prediction.sub(images).square().mean();
}
