import { itemAt } from '../../at.js';
import { bindScope } from '../name-scope.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import tf, { type Tensor5D } from '../tf.js';
import { isTracing } from '../trace.js';
import { withGradient } from '../with-gradient.js';

/**
 * Largest value of each 2x2x2 block; a last odd plane is left out, as in PyTorch. The gradient goes to the
 * block's first largest value, as there.
 * @param x [B, D, H, W, C]
 * @returns [B, D/2, H/2, W/2, C], rounded down
 */
export function maxPool3d(x: Tensor5D): Tensor5D {
  const attributes = [
    float32Attribute(),
    attribute.int('ksize', [1, 2, 2, 2, 1]),
    attribute.int('strides', [1, 2, 2, 2, 1]),
    attribute.string('padding', 'VALID'),
    attribute.string('data_format', 'NDHWC'),
  ];
  return withGradient([x], () => {
    const value = runOp<Tensor5D>('MaxPool3D', attributes, [x]);
    const gradient = bindScope(
      'gradient',
      (dy: Tensor5D, [savedX, savedY]: readonly [Tensor5D, Tensor5D]) => [
        // Outside a graph TensorFlow has only a kernel that takes every value within 1e-5 of the largest for
        // the largest.
        isTracing()
          ? runOp('MaxPool3DGrad', attributes, [savedX, savedY, dy])
          : toFirstLargest(savedX, savedY, dy),
      ],
    );
    return { value, kept: [x, value] as const, gradient };
  });
}

/** Mean of each `size`^3 block. [B, D, H, W, C] to [B, D/size, H/size, W/size, C]. */
export function avgPool3d(x: Tensor5D, size: number): Tensor5D {
  return size === 1 ? x : tf.avgPool3d(x, size, size, 'valid');
}

/**
 * The gradient `dy` of each block at its first value (last axis fastest) that equals the block's largest, 0
 * elsewhere: [B, D, H, W, C].
 */
function toFirstLargest(x: Tensor5D, largest: Tensor5D, dy: Tensor5D): Tensor5D {
  const [batch, depth, height, width, channels] = largest.shape;
  const inBlocks = [batch, 2 * depth, 2 * height, 2 * width, channels];
  let free = tf.ones(largest.shape, 'bool');
  const corners = Array.from({ length: 8 }, (_, corner): Tensor5D => {
    // One of each block.
    const values = tf.stridedSlice(
      x,
      [0, corner >> 2, (corner >> 1) & 1, corner & 1, 0],
      inBlocks,
      [1, 2, 2, 2, 1],
    );
    const taken = values.equal(largest).logicalAnd(free);
    free = free.logicalAnd(taken.logicalNot());
    return dy.where(taken, 0); // [B, D/2, H/2, W/2, C]
  });
  const joined = [3, 2, 1].reduce((parts, axis) => {
    const pairs = parts.flatMap((part, i) => (i % 2 === 0 ? [[part, itemAt(parts, i + 1)] as const] : []));
    return pairs.map((pair) => interleaved(pair, axis));
  }, corners);
  const spare = x.shape.map((n, axis): [number, number] => [0, n - itemAt(inBlocks, axis)]);
  return itemAt(joined, 0).pad(spare);
}

/** Two tensors' planes in turn along an axis, which gets twice as long. */
function interleaved(pair: readonly [Tensor5D, Tensor5D], axis: number): Tensor5D {
  const shape = pair[0].shape.map((n, i) => (i === axis ? 2 * n : n));
  return tf.stack([...pair], axis + 1).reshape(shape);
}
