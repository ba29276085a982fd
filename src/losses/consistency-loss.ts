import { type Scalar, type Tensor2D, type Tensor3D, tf } from '../engine/index.js';
import { detached } from './detach.js';
import { numberLoss } from './number-loss.js';

/**
 * `soft` lets both terms teach; `hard` thresholds, as the equation reads, and its second term has no
 * gradient.
 */
export type ConsistencyKind = 'soft' | 'hard';

/**
 * Consistency loss (paper eq. 5):
 * `CE(number logits, count from locations) + MSE(count from locations, number)`.
 * soft: count = sum of the location probabilities, number = expected number under the softmax, and the
 * cross-entropy's target is the count rounded, without gradient. hard: count = locations with probability
 * above 1/2, number = the most probable one.
 * @param numberLogits   [B, S, n + 1]
 * @param locationLogits [B, S, n]
 * @returns scalar, mean over sub-volumes and batch
 */
export function consistencyLoss(
  numberLogits: Tensor3D,
  locationLogits: Tensor3D,
  kind: ConsistencyKind = 'soft',
): Scalar {
  // [B, S] both
  const count =
    kind === 'soft' ? tf.sigmoid(locationLogits).sum(-1) : detached(locationLogits, thresholdedCount);
  const number = kind === 'soft' ? expectedNumber(numberLogits) : detached(numberLogits, mostProbableNumber);
  const roundedCount = detached(count, (exact) => exact.round()).cast<Tensor2D>('int32');
  const crossEntropy = numberLoss(numberLogits, roundedCount);
  return crossEntropy.add(count.sub(number).square().mean());
}

function expectedNumber(numberLogits: Tensor3D): Tensor2D {
  const classes = numberLogits.shape[2];
  // As exp(log softmax), because TensorFlow computes softmax itself by other kernels in a graph than outside
  // one.
  return tf.logSoftmax(numberLogits).exp().mul(tf.range(0, classes)).sum(-1);
}

const thresholdedCount = (locationLogits: Tensor3D) => locationLogits.greater(0).cast('float32').sum(-1);

const mostProbableNumber = (numberLogits: Tensor3D) => numberLogits.argMax(-1).cast('float32');
