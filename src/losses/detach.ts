import { type Tensor, tf } from '../engine/index.js';

/** The result of `body`, through which no gradient reaches `x`; ops without a gradient may be used inside. */
export function detached<T extends Tensor>(x: T, body: (x: T) => Tensor): Tensor {
  const op = tf.customGrad(() => ({ value: body(x), gradFunc: () => tf.zerosLike(x) })); // tfjs gives it `x` itself
  return op(x);
}
