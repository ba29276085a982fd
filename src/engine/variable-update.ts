import type { OpAttribute } from './native-backend.js';
import { stepScope } from './step-scope.js';
import type { Tensor, Variable } from './tf.js';

/**
 * Writes an op that changes variables where they lie: it takes their handles, then `inputs`. What it changes
 * must not be read after it.
 */
export type UpdateWriter = (
  op: string,
  attributes: readonly OpAttribute[],
  targets: readonly Variable[],
  inputs: readonly Tensor[],
) => void;

/**
 * How the running trace changes variables where they lie; none outside one, where a variable is changed by
 * assigning it.
 */
export const updateWriter = stepScope<UpdateWriter>();
