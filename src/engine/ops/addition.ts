import { float32Attribute, runOp } from '../native-backend.js';
import type { Scalar, Tensor } from '../tf.js';
import { withGradient } from '../with-gradient.js';

/**
 * The sum of one or more tensors of one shape, from the first to the last: `tf.addN` adds in whatever order
 * memory is free, so that its last bits differ.
 */
export function addInOrder<T extends Tensor>(terms: readonly T[]): T {
  return terms.reduce((sum, term) => sum.add(term));
}

/**
 * The sum of a layer's output and what goes around it, both [B, D, H, W, C]. An op of its own, as it may stay
 * in bfloat16 between convolutions, which sums of gradients do not.
 */
export function residualSum<T extends Tensor>(x: T, around: T): T {
  return withGradient([x, around], () => {
    return {
      value: runOp<T>('AddV2', [float32Attribute()], [x, around]),
      kept: [],
      gradient: (dy) => [dy, dy],
    };
  });
}

/**
 * Half the sum of a tensor's squares, in one pass that keeps nothing. Not differentiated: for use on
 * gradients.
 */
export function halfSumOfSquares(x: Tensor): Scalar {
  return runOp('L2Loss', [float32Attribute()], [x]);
}
