import { type Scalar, type Tensor2D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { sameShape } from './same-shape.js';

/** Added to an item's similarity with itself, so that it never counts as its own negative. */
const SELF = -1e9;

/**
 * Contrastive loss (paper eq. 6; NT-Xent, Chen et al. 2020): of the 2B - 1 other features, each must find the
 * one that came from the same masked crop under another dropout.
 * @param first       [B, F] projected latents of the first pass; brought to unit length here
 * @param second      [B, F] of the second pass
 * @param temperature above 0; the paper's 0.5
 * @returns scalar, nats, mean over the 2B features
 * @throws ShapeError when shapes differ, or for a batch of 1, which has no negatives
 */
export function contrastiveLoss(first: Tensor2D, second: Tensor2D, temperature: number): Scalar {
  sameShape('contrastive loss', first, second);
  const batch = first.shape[0];
  if (batch < 2)
    throw new ShapeError('contrastive loss: a batch of 1 has no negatives; use a batch of 2 or more');
  const features = unitLength(tf.concat([first, second], 0)); // [2B, F]
  const similarity = tf.matMul(features, features, false, true).div(temperature); // [2B, 2B]
  const others = similarity.add(tf.eye(2 * batch).mul(SELF));
  return tf
    .logSoftmax(others)
    .mul(partners(batch))
    .sum()
    .div(-2 * batch);
}

/** [2B, 2B] with a 1 where row and column are the two passes of one crop. */
function partners(batch: number): Tensor2D {
  const size = 2 * batch;
  const values = new Float32Array(size * size);
  for (let row = 0; row < size; row++) values[row * size + ((row + batch) % size)] = 1;
  return tf.tensor2d(values, [size, size]);
}

function unitLength(x: Tensor2D): Tensor2D {
  return x.mul(x.square().sum(-1, true).maximum(1e-24).rsqrt());
}
