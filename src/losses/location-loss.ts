import { type Scalar, type Tensor, type Tensor3D, tf } from '../engine/index.js';
import { sameShape } from './same-shape.js';

/**
 * Location loss (paper eq. 4): binary cross-entropy of each patch being masked.
 * @param logits    [B, S, n] S sub-volumes of n patches
 * @param locations [B, S, n] 1 where the patch is masked, else 0
 * @returns scalar, nats, mean over patches, sub-volumes and batch
 * @throws ShapeError when the shapes differ
 */
export function locationLoss(logits: Tensor3D, locations: Tensor3D): Scalar {
  sameShape('location loss', logits, locations);
  return binaryCrossEntropy(logits, locations);
}

/** Mean of `binaryCrossEntropies`. */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor): Scalar {
  return binaryCrossEntropies(logits, targets).mean();
}

/**
 * Binary cross-entropy with logits, one for each: -t log s(x) - (1 - t) log(1 - s(x)) = softplus(x) - t x, finite
 * for every x.
 */
export function binaryCrossEntropies(logits: Tensor, targets: Tensor): Tensor {
  return tf.softplus(logits).sub(logits.mul(targets));
}
