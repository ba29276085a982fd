import { type Tensor, tf } from '../engine/index.js';

/** The result of `body`, through which no gradient reaches `x`; ops without a gradient may be used inside. */
export function detached<T extends Tensor>(x: T, body: (x: T) => Tensor): Tensor {
  const { shape } = x; // by the time of the gradient `x` itself may be gone
  // tfjs gives it `x` itself.
  const op = tf.customGrad(() => ({ value: body(x), gradFunc: () => tf.zeros(shape) }));
  return op(x);
}
