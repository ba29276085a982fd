import { type Scalar, type Tensor4D, type Tensor5D, tf } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { binaryCrossEntropies, binaryCrossEntropy } from './location-loss.js';
import { sameShape } from './same-shape.js';

/** Added to numerator and denominator, as in MONAI's `DiceLoss`. */
const SMOOTH = 1e-5;

/**
 * Soft Dice loss (Milletari et al. 2016), background included: mean over items and classes of
 * 1 - 2|PT| / (|P| + |T|).
 * @param probabilities [B, D, H, W, C]
 * @param targets       [B, D, H, W, C] 0 or 1
 * @param counted       [B, D, H, W, 1] 1 where a voxel counts, else 0; absent: all count
 * @returns scalar in 0..1
 * @throws ShapeError when the shapes differ
 */
export function diceLoss(probabilities: Tensor5D, targets: Tensor5D, counted?: Tensor5D): Scalar {
  sameShape('Dice loss', probabilities, targets);
  const voxels = [1, 2, 3];
  const taken = counted ? probabilities.mul<Tensor5D>(counted) : probabilities; // [B, D, H, W, C]
  const wanted = counted ? targets.mul<Tensor5D>(counted) : targets; // [B, D, H, W, C]
  const overlap = taken.mul(wanted).sum(voxels); // [B, C]
  const sizes = taken.sum(voxels).add(wanted.sum(voxels)); // [B, C]
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
 * @param labels [B, D, H, W] int32 in 0..C-1, 0 is background; -1, no class, where a voxel does not count
 * @param counted [B, D, H, W, 1] 1 where a voxel counts, else 0: the others have no part in either term, whose
 *   means are over those that count, 0 where there are none (nnU-Net's ignore label); absent: all count
 * @throws ShapeError when the shapes do not fit
 */
export function diceCrossEntropyLoss(
  logits: Tensor5D,
  labels: Tensor4D,
  counted?: Tensor5D,
): DiceCrossEntropy {
  const [batch, depth, height, width, classes] = logits.shape;
  if (labels.shape.join() !== [batch, depth, height, width].join()) {
    const expected = logits.shape.slice(0, 4);
    throw new ShapeError(
      `Dice + cross-entropy: labels [${labels.shape}] must be [${expected}], as the logits`,
    );
  }
  const targets = tf.oneHot(labels, classes).cast<Tensor5D>('float32'); // [B, D, H, W, C]
  const logProbabilities = tf.logSoftmax(logits);
  const dice = diceLoss(logProbabilities.exp(), targets, counted);
  const logLikelihood = logProbabilities.mul(targets); // [B, D, H, W, C]
  const crossEntropy = counted
    ? logLikelihood.sum().neg().div<Scalar>(atLeastOne(counted))
    : logLikelihood.sum().div<Scalar>(-batch * depth * height * width);
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
 * @param regions [B, D, H, W, C] 0 or 1; any other where a voxel does not count
 * @param counted [B, D, H, W, 1] as `diceCrossEntropyLoss` takes it
 * @throws ShapeError when the shapes differ
 */
export function diceBinaryCrossEntropyLoss(
  logits: Tensor5D,
  regions: Tensor5D,
  counted?: Tensor5D,
): DiceBinaryCrossEntropy {
  sameShape('Dice + binary cross-entropy', logits, regions);
  const dice = diceLoss(tf.sigmoid(logits), regions, counted);
  const crossEntropy = counted
    ? binaryCrossEntropies(logits, regions)
        .mul(counted)
        .sum()
        .div<Scalar>(atLeastOne(counted).mul(logits.shape[4]))
    : binaryCrossEntropy(logits, regions);
  return { total: dice.add(crossEntropy), dice, binaryCrossEntropy: crossEntropy };
}

/** How many voxels count; 1 where none does, so that a mean over them is 0. */
const atLeastOne = (counted: Tensor5D): Scalar => tf.maximum(counted.sum(), 1);
