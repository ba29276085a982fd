import { type Scalar, type Tensor2D, type Tensor3D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';

/**
 * Number loss (paper eq. 2): cross-entropy of the predicted count of masked patches in each sub-volume.
 * @param logits [B, S, n + 1] S sub-volumes of n patches
 * @param counts [B, S]        true counts, int32 in 0..n
 * @returns scalar, nats, mean over sub-volumes and batch
 * @throws ShapeError when the first two axes differ
 */
export function numberLoss(logits: Tensor3D, counts: Tensor2D): Scalar {
  const [batch, subVolumes, classes] = logits.shape;
  if (counts.shape.join() !== [batch, subVolumes].join()) {
    const expected = [batch, subVolumes];
    throw new ShapeError(
      `number loss: counts [${counts.shape}] must be [${expected}], as the logits [${logits.shape}]`,
    );
  }
  const target = tf.oneHot(counts, classes).cast('float32');
  return tf
    .logSoftmax(logits)
    .mul(target)
    .sum()
    .div(-batch * subVolumes);
}
