import { float32Attribute, runOp } from '../native-backend.js';
import type { Scalar, Tensor } from '../tf.js';

/** The sum of one or more tensors of one shape, from the first to the last: `tf.addN` adds in whatever order memory is free, so that its last bits differ. */
export function addInOrder<T extends Tensor>(terms: readonly T[]): T {
  return terms.reduce((sum, term) => sum.add(term) as T);
}

/** Half the sum of a tensor's squares, in one pass that keeps nothing. Not differentiated: for use on gradients. */
export function halfSumOfSquares(x: Tensor): Scalar {
  return runOp('L2Loss', [float32Attribute()], [x]) as Scalar;
}
