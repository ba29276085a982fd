import { attribute, runOp } from './native-backend.js';
import type { Tensor } from './tf.js';
import { isTracing } from './trace.js';
import { afterOp } from './trace-ops.js';

/**
 * `value`, but not before `earlier` is there. A graph computes an op as soon as its inputs are known, so that
 * what needs only weights, seeds or activations would be computed at the start of the step and kept until its
 * end. Outside a trace ops run in the order written. Not differentiated: for use inside gradients, updates
 * and masks.
 */
export function after<T extends Tensor>(value: T, earlier: Tensor): T {
  if (!isTracing()) return value;
  return runOp(
    afterOp,
    [attribute.type('T', value.dtype === 'int32' ? 'int32' : 'float32')],
    [value, earlier],
  );
}
