import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';

/**
 * Cross-entropy of one class an item: the word loss of TransVW.
 * @param logits  [B, classes]
 * @param classes [B] int32 in 0..classes - 1
 * @returns scalar, nats, mean over the batch
 * @throws ShapeError when the batches differ
 */
export function classLoss(logits: Tensor2D, classes: Tensor1D): Scalar {
  const [batch, count] = logits.shape;
  if (classes.shape[0] !== batch) {
    throw new ShapeError(
      `class loss: classes [${classes.shape}] must be [${batch}], as the logits [${logits.shape}]`,
    );
  }
  return tf.logSoftmax(logits).mul(tf.oneHot(classes, count).cast('float32')).sum().div(-batch);
}
