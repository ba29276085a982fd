import { float32Attribute, runOp } from '../native-backend.js';
import tf, { type Scalar, type Tensor } from '../tf.js';

/**
 * `value` where `number` is finite, else zeros of its shape, also where `value` is not finite itself. It has no
 * gradient.
 */
export function zeroUnlessFinite<T extends Tensor>(value: T, number: Scalar): T {
  const finite = runOp('IsFinite', [float32Attribute()], [number]);
  return runOp('SelectV2', [float32Attribute()], [finite, value, tf.scalar(0)]);
}
