import { type InputSpecs, type Tensor, type Tensor5D, tf } from '../engine/index.js';
import { type StepInputs, stepInput } from '../network/index.js';
import type { PretextBatch, Reconstruction } from './method.js';

/** Inputs that scale the target, [B, C] each; none where the image itself is the target. */
export function scaledTargetInputs({ size, scaledTargets }: PretextBatch, channels: number): InputSpecs {
  if (!scaledTargets) return {};
  return {
    targetScale: { shape: [size, channels], dtype: 'float32' },
    targetShift: { shape: [size, channels], dtype: 'float32' },
  };
}

/**
 * What the network reconstructs: the images, or, where scales are fed, their values on the scale [0, 1] with
 * background left at 0.
 */
export function reconstructionTarget(
  images: Tensor5D,
  { targetScale, targetShift }: Readonly<Record<string, Tensor>>,
): Tensor5D {
  if (!targetScale || !targetShift) return images;
  const perChannel = [images.shape[0], 1, 1, 1, images.shape[4]];
  const scaled = images
    .mul(targetScale.reshape(perChannel))
    .add(targetShift.reshape(perChannel))
    .clipByValue(0, 1);
  return scaled.mul(images.notEqual(0).cast('float32'));
}

/**
 * The record of a method that fills masked voxels.
 * @param mask       [B, D, H, W, 1] 1 where masked
 * @param prediction [B, D, H, W, C] of which the masked voxels count
 */
export function filledMask(inputs: StepInputs, mask: Tensor5D, prediction: Tensor5D): Reconstruction {
  const target = reconstructionTarget(stepInput(inputs, 'images', 5), inputs);
  const seen = target.mul<Tensor5D>(tf.scalar(1).sub(mask));
  return { target, seen, prediction: seen.add(prediction.mul(mask)) };
}
