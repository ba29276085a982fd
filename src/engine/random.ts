import { attribute, runOp } from './native-backend.js';
import tf, { type Scalar, type Tensor } from './tf.js';

let stepSeedTensor: Scalar | undefined;

/** Makes `seed` (int32 scalar) the source of every in-graph draw while `body` runs. */
export function withStepSeed<T>(seed: Scalar, body: () => T): T {
  const outer = stepSeedTensor;
  stepSeedTensor = seed;
  try {
    return body();
  } finally {
    stepSeedTensor = outer;
  }
}

/**
 * Uniform numbers in [0, 1), float32, drawn inside the graph from the step's seed.
 * @param key distinguishes the places that draw within one step; the same key gives the same numbers
 * @throws Error outside a compiled step, where there is no seed
 */
export function randomUniform(shape: readonly number[], key: number): Tensor {
  if (!stepSeedTensor) throw new Error('randomUniform was called outside a compiled step, where no seed is set');
  const seed = tf.stack([stepSeedTensor, tf.scalar(key, 'int32')]);
  const attributes = [attribute.type('dtype', 'float32'), attribute.type('T', 'int32'), attribute.type('Tseed', 'int32')];
  return runOp('StatelessRandomUniform', attributes, [tf.tensor1d([...shape], 'int32'), seed]);
}

/**
 * Dropout: zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate).
 * @param x [B, ..., C]
 * @param perChannel true drops whole channels of an item, as PyTorch's Dropout3d does
 */
export function dropout<T extends Tensor>(x: T, rate: number, key: number, perChannel = false): T {
  if (rate === 0) return x;
  const drawShape = perChannel ? x.shape.map((n, axis) => (axis === 0 || axis === x.rank - 1 ? n : 1)) : x.shape;
  const keep = randomUniform(drawShape, key)
    .greaterEqual(rate)
    .cast('float32')
    .div(1 - rate);
  return x.mul(keep) as T;
}
