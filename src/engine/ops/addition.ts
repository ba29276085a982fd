import type { Tensor } from '../tf.js';

/** The sum of one or more tensors of one shape, from the first to the last: `tf.addN` adds in whatever order memory is free, so that its last bits differ. */
export function addInOrder<T extends Tensor>(terms: readonly T[]): T {
  return terms.reduce((sum, term) => sum.add(term) as T);
}
