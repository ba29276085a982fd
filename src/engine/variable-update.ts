import type { OpAttribute } from './native-backend.js';
import type { Tensor, Variable } from './tf.js';

/** Writes an op that changes variables where they lie: it takes their handles, then `inputs`. What it changes must not be read after it. */
export type UpdateWriter = (op: string, attributes: readonly OpAttribute[], targets: readonly Variable[], inputs: readonly Tensor[]) => void;

let current: UpdateWriter | undefined;

/** Makes `writer` the way to change variables while `body` runs. */
export function withUpdateWriter<T>(writer: UpdateWriter, body: () => T): T {
  const outer = current;
  current = writer;
  try {
    return body();
  } finally {
    current = outer;
  }
}

/** How the running trace changes variables where they lie; undefined outside one, where a variable is changed by assigning it. */
export const updateWriter = (): UpdateWriter | undefined => current;
