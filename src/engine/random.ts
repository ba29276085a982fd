import { after } from './after.js';
import { bindScope } from './name-scope.js';
import { attribute, float32Attribute, runOp } from './native-backend.js';
import { stepScope } from './step-scope.js';
import tf, { type Scalar, type Tensor } from './tf.js';
import { isTracing } from './trace.js';
import { negativeZeroOp } from './trace-ops.js';
import { withGradient } from './with-gradient.js';

/** Source of every in-graph draw of a step: int32 scalar. */
export const seedOfDraws = stepScope<Scalar>();

/** Runs `body`, whose draws are from `seed`, an int32 scalar, and not from the step's own. */
export const drawnFrom = <T>(seed: Scalar, body: () => T): T => seedOfDraws.within(seed, body);

/**
 * Uniform numbers in [0, 1), float32, drawn inside the graph from the step's seed: for the noise of a method.
 * @param key distinguishes the places that draw within one step; the same key gives the same numbers
 * @throws Error outside a compiled step, where there is no seed
 */
export function randomUniform(shape: readonly number[], key: number): Tensor {
  return draw('StatelessRandomUniform', 'float32', shape, key);
}

function draw(
  op: string,
  dtype: 'float32' | 'int32',
  shape: readonly number[],
  key: number,
  earlier?: Tensor,
): Tensor {
  const seedTensor = seedOfDraws.current();
  if (!seedTensor) throw new Error('a random number was drawn outside a compiled step, where no seed is set');
  const stacked = tf.stack([seedTensor, tf.scalar(key, 'int32')]);
  const seed = earlier ? after(stacked, earlier) : stacked;
  const attributes = [
    attribute.type('dtype', dtype),
    attribute.type('T', 'int32'),
    attribute.type('Tseed', 'int32'),
  ];
  return runOp(op, attributes, [tf.tensor1d([...shape], 'int32'), seed]);
}

/**
 * Which elements a dropout keeps: true with probability 1 - `rate`, to the nearest of 65,536 parts. One drawn
 * 32-bit number decides two elements, by its upper and by its lower half: drawing is what dropout costs.
 * @param earlier the mask is not drawn before this is there, and so need not be kept until it is used
 */
export function keepMask(shape: readonly number[], rate: number, key: number, earlier?: Tensor): Tensor {
  const count = shape.reduce((product, n) => product * n, 1);
  const drawn = draw('StatelessRandomUniformFullInt', 'int32', [Math.ceil(count / 2)], key, earlier);
  // Signed, and it looks at the upper half alone.
  const least = tf.scalar(Math.round(rate * 2 ** 16) * 2 ** 16 - 2 ** 31, 'int32');
  // The lower half moved up; a product that wraps is ten times as fast as the op for shifts.
  const lowerHalf = drawn.mul(tf.scalar(2 ** 16, 'int32'));
  const kept = tf.concat([drawn.greaterEqual(least), lowerHalf.greaterEqual(least)]);
  return (count % 2 === 0 ? kept : kept.slice(0, count)).reshape([...shape]);
}

/**
 * Dropout: zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate).
 * @param x [B, ..., C]
 * @param perChannel true drops whole channels of an item, as PyTorch's Dropout3d does
 */
export function dropout<T extends Tensor>(x: T, rate: number, key: number, perChannel = false): T {
  if (rate === 0) return x;
  const drawShape = perChannel
    ? x.shape.map((n, axis) => (axis === 0 || axis === x.rank - 1 ? n : 1))
    : x.shape;
  const keep = keepMask(drawShape, rate, key, x)
    .cast('float32')
    .div(1 - rate);
  return x.mul(keep);
}

/**
 * Dropout followed by leaky ReLU, in one op that keeps one tensor for its gradient, its output: -0 where the
 * element was dropped, elsewhere of the input's sign. (An input of -0 itself counts as dropped; no norm gives
 * one.) Unlike `dropout` it does not scale what it keeps; the norm before it can do that for nothing.
 * @param rate  share of the elements that are dropped, at least 0 and below 1
 * @param alpha slope below 0, greater than 0
 */
export function dropoutLeakyRelu<T extends Tensor>(x: T, rate: number, key: number, alpha: number): T {
  if (!(alpha > 0)) throw new Error(`dropoutLeakyRelu needs alpha > 0, got ${alpha}`);
  const keep = keepMask(x.shape, rate, key, x);
  const relu = [float32Attribute(), attribute.float('alpha', alpha)];
  const select = (condition: Tensor, value: T, other: number): T =>
    runOp('SelectV2', [float32Attribute()], [condition, value, tf.scalar(other)]);
  return withGradient([x], () => {
    const value = select(keep, runOp('LeakyRelu', relu, [x]), -0);
    const gradient = bindScope('gradient', (dy: T, [saved]: readonly [T]) => {
      const y = after(saved, dy);
      return [select(isNegativeZero(y).logicalNot(), runOp('LeakyReluGrad', relu, [dy, y]), 0)];
    });
    return { value, kept: [value] as const, gradient };
  });
}

function isNegativeZero(x: Tensor): Tensor {
  if (isTracing()) return runOp(negativeZeroOp, [float32Attribute()], [x]);
  const bits = runOp('Bitcast', [float32Attribute(), attribute.type('type', 'int32')], [x]);
  return bits.equal(tf.scalar(-(2 ** 31), 'int32'));
}
