import { floatAt } from '../../at.js';
import { bindScope } from '../name-scope.js';
import { attribute, runOp } from '../native-backend.js';
import tf, { type Tensor1D, type Tensor2D, type Tensor3D, type Tensor5D } from '../tf.js';
import { withGradient } from '../with-gradient.js';
import { batchProduct } from './linear.js';

/** Known when the step is traced, or an int32 input of it. */
type RowOrder = Int32Array | Tensor1D;

/**
 * Rows of `x` in another order, each at most once, and rows of zeros. Where the order is fed to the step, as
 * tensors, none is -1.
 * @param x       [rows, C]
 * @param sources [n] the row of `x` that each row of the result is; -1: zeros
 * @param places  [rows] the row of the result that each row of `x` became; -1: none
 * @returns [n, C]
 */
export function permuteRows(x: Tensor2D, sources: RowOrder, places: RowOrder): Tensor2D {
  return withGradient([x], () => {
    const gradient = bindScope('gradient', (dy: Tensor2D, [kept]: readonly Tensor1D[]) => [
      takeRows(dy, kept ?? places),
    ]);
    // A tensor is kept: else it is gone before the gradient, where the forward pass made it.
    const kept = places instanceof Int32Array ? [] : [places];
    return { value: takeRows(x, sources), kept, gradient };
  });
}

function takeRows(x: Tensor2D, sources: RowOrder): Tensor2D {
  if (!(sources instanceof Int32Array)) return gather(x, sources);
  const zeros = x.shape[0];
  const padded = sources.includes(-1) ? tf.concat<Tensor2D>([x, tf.zeros([1, x.shape[1]])], 0) : x;
  const indices = tf.tensor1d(
    sources.map((row) => (row < 0 ? zeros : row)),
    'int32',
  );
  return gather(padded, indices);
}

function gather(x: Tensor2D, rows: Tensor1D): Tensor2D {
  const attributes = [
    attribute.int('batch_dims', 0),
    attribute.type('Tparams', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
  ];
  return runOp('GatherV2', attributes, [x, rows, tf.scalar(0, 'int32')]);
}

/**
 * Trilinear resize with half-voxel centres (PyTorch's `align_corners=False`): one small matrix product per
 * axis.
 * @param x    [B, D, H, W, C]
 * @param size [D', H', W']
 */
export function resizeTrilinear(x: Tensor5D, size: readonly [number, number, number]): Tensor5D {
  // The last axis first, where the products are smallest, while the tensor still is small.
  const [depth, height, width] = size;
  return resizeAxis(resizeAxis(resizeAxis(x, 3, width), 2, height), 1, depth);
}

function resizeAxis(x: Tensor5D, axis: 1 | 2 | 3, length: number): Tensor5D {
  const from = x.shape[axis];
  if (from === length) return x;
  const before = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const after = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  // The same for every product of the batch.
  const weights = () => tf.tensor3d(linearWeights(from, length), [1, length, from]);
  const rows = x.reshape<Tensor3D>([before, from, after]);
  const resized = withGradient([rows], () => {
    const gradient = bindScope('gradient', (dy: Tensor3D) => [
      batchProduct(weights(), dy, { transposeLeft: true }),
    ]);
    return { value: batchProduct(weights(), rows), kept: [], gradient };
  });
  return resized.reshape(x.shape.map((n, i) => (i === axis ? length : n)));
}

/** Row-major [to, from] weights: each output samples between its two nearest inputs, clamped at the ends. */
function linearWeights(from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const position = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(from - 1, Math.floor(position));
    const high = Math.min(from - 1, low + 1);
    const row = weights.subarray(i * from, (i + 1) * from);
    row[low] = floatAt(row, low) + (1 - (position - low));
    row[high] = floatAt(row, high) + (position - low);
  }
  return weights;
}
