import { type Scalar, type Tensor4D, type Tensor5D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { binaryCrossEntropy } from './location-loss.js';
import { sameShape } from './same-shape.js';

/** Added to numerator and denominator, as in MONAI's `DiceLoss`. */
const SMOOTH = 1e-5;

/**
 * Soft Dice loss (Milletari et al. 2016), background included: mean over items and classes of
 * 1 - 2|PT| / (|P| + |T|).
 * @param probabilities [B, D, H, W, C]
 * @param targets       [B, D, H, W, C] 0 or 1
 * @returns scalar in 0..1
 * @throws ShapeError when the shapes differ
 */
export function diceLoss(probabilities: Tensor5D, targets: Tensor5D): Scalar {
  sameShape('Dice loss', probabilities, targets);
  const voxels = [1, 2, 3];
  const overlap = probabilities.mul(targets).sum(voxels); // [B, C]
  const sizes = probabilities.sum(voxels).add(targets.sum(voxels)); // [B, C]
  const dice = overlap.mul(2).add(SMOOTH).div(sizes.add(SMOOTH));
  return tf.scalar(1).sub(dice.mean());
}

/** Dice + cross-entropy, and its terms. */
export interface DiceCrossEntropy {
  readonly total: Scalar;
  readonly dice: Scalar;
  readonly crossEntropy: Scalar;
}

/**
 * Dice + cross-entropy for classes of which each voxel has one (organs); MONAI's
 * `DiceCELoss(to_onehot_y, softmax)`.
 * @param logits [B, D, H, W, C]
 * @param labels [B, D, H, W] int32 in 0..C-1, 0 is background
 * @throws ShapeError when the shapes do not fit
 */
export function diceCrossEntropyLoss(logits: Tensor5D, labels: Tensor4D): DiceCrossEntropy {
  const [batch, depth, height, width, classes] = logits.shape;
  if (labels.shape.join() !== [batch, depth, height, width].join()) {
    const expected = logits.shape.slice(0, 4);
    throw new ShapeError(
      `Dice + cross-entropy: labels [${labels.shape}] must be [${expected}], as the logits`,
    );
  }
  const targets = tf.oneHot(labels, classes).cast<Tensor5D>('float32'); // [B, D, H, W, C]
  const logProbabilities = tf.logSoftmax(logits);
  const dice = diceLoss(logProbabilities.exp(), targets);
  const crossEntropy = logProbabilities
    .mul(targets)
    .sum()
    .div<Scalar>(-batch * depth * height * width);
  return { total: dice.add(crossEntropy), dice, crossEntropy };
}

/** Dice + binary cross-entropy, and its terms. */
export interface DiceBinaryCrossEntropy {
  readonly total: Scalar;
  readonly dice: Scalar;
  readonly binaryCrossEntropy: Scalar;
}

/**
 * Dice + binary cross-entropy for regions that may overlap (BraTS); MONAI's `DiceLoss(sigmoid)` and the mean
 * `BCEWithLogitsLoss`.
 * @param logits  [B, D, H, W, C]
 * @param regions [B, D, H, W, C] 0 or 1
 * @throws ShapeError when the shapes differ
 */
export function diceBinaryCrossEntropyLoss(logits: Tensor5D, regions: Tensor5D): DiceBinaryCrossEntropy {
  sameShape('Dice + binary cross-entropy', logits, regions);
  const dice = diceLoss(tf.sigmoid(logits), regions);
  const crossEntropy = binaryCrossEntropy(logits, regions);
  return { total: dice.add(crossEntropy), dice, binaryCrossEntropy: crossEntropy };
}
