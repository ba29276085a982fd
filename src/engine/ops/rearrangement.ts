import { attribute, float32Attribute, runOp } from '../native-backend.js';
import { bindPlace } from '../place.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D, type Tensor5D } from '../tf.js';
import { batchProduct } from './linear.js';

/** The tensor with each axis rotated by its shift, elements that leave one end entering at the other; as `numpy.roll`. */
export function roll<T extends Tensor>(x: T, shifts: readonly number[], axes: readonly number[]): T {
  const op = tf.customGrad((...args) => {
    const [input] = args as unknown as [Tensor];
    const gradient = bindPlace('gradient', (dy: Tensor) =>
      rollOnce(
        dy,
        shifts.map((s) => -s),
        axes,
      ),
    );
    return { value: rollOnce(input, shifts, axes), gradFunc: gradient };
  });
  return op(x) as T;
}

function rollOnce(x: Tensor, shifts: readonly number[], axes: readonly number[]): Tensor {
  const attributes = [float32Attribute(), attribute.type('Tshift', 'int32'), attribute.type('Taxis', 'int32')];
  return runOp('Roll', attributes, [x, tf.tensor1d([...shifts], 'int32'), tf.tensor1d([...axes], 'int32')]);
}

/** Known when the step is traced, or an int32 input of it. */
type RowOrder = Int32Array | Tensor1D;

/**
 * Rows of `x` in another order, each at most once, and rows of zeros. Where the order is fed to the step, as tensors, none is -1.
 * @param x       [rows, C]
 * @param sources [n] the row of `x` that each row of the result is; -1: zeros
 * @param places  [rows] the row of the result that each row of `x` became; -1: none
 * @returns [n, C]
 */
export function permuteRows(x: Tensor2D, sources: RowOrder, places: RowOrder): Tensor2D {
  const op = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor2D, (tensors: Tensor[]) => void];
    if (!(places instanceof Int32Array)) save([places]); // else it is gone before the gradient, where the forward pass made it
    const gradient = bindPlace('gradient', (dy: Tensor, saved: Tensor[]) =>
      takeRows(dy as Tensor2D, (saved[0] as Tensor1D | undefined) ?? (places as Int32Array)),
    );
    return { value: takeRows(input, sources), gradFunc: gradient };
  });
  return op(x) as Tensor2D;
}

function takeRows(x: Tensor2D, sources: RowOrder): Tensor {
  if (!(sources instanceof Int32Array)) return gather(x, sources);
  const zeros = x.shape[0];
  const padded = sources.includes(-1) ? (tf.concat([x, tf.zeros([1, x.shape[1]])], 0) as Tensor2D) : x;
  const indices = tf.tensor1d(
    sources.map((row) => (row < 0 ? zeros : row)),
    'int32',
  );
  return gather(padded, indices);
}

function gather(x: Tensor2D, rows: Tensor1D): Tensor {
  const attributes = [
    attribute.int('batch_dims', 0),
    attribute.type('Tparams', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
  ];
  return runOp('GatherV2', attributes, [x, rows, tf.scalar(0, 'int32')]);
}

/**
 * Trilinear resize with half-voxel centres (PyTorch's `align_corners=False`): one small matrix product per axis.
 * @param x    [B, D, H, W, C]
 * @param size [D', H', W']
 */
export function resizeTrilinear(x: Tensor5D, size: readonly [number, number, number]): Tensor5D {
  // The last axis first, where the products are smallest, while the tensor still is small.
  return [2, 1, 0].reduce<Tensor5D>((tensor, i) => resizeAxis(tensor, i + 1, size[i] as number), x);
}

function resizeAxis(x: Tensor5D, axis: number, length: number): Tensor5D {
  const from = x.shape[axis] as number;
  if (from === length) return x;
  const before = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const after = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const weights = () => tf.tensor3d(linearWeights(from, length), [1, length, from]); // the same for every product of the batch
  const op = tf.customGrad((...args) => {
    const [input] = args as unknown as [Tensor];
    const gradient = bindPlace('gradient', (dy: Tensor) => batchProduct(weights(), dy, { transposeLeft: true }));
    return { value: batchProduct(weights(), input), gradFunc: gradient };
  });
  return op(x.reshape([before, from, after])).reshape(x.shape.map((n, i) => (i === axis ? length : n))) as Tensor5D;
}

/** Row-major [to, from] weights: each output samples between its two nearest inputs, clamped at the ends. */
function linearWeights(from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const position = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(from - 1, Math.floor(position));
    const high = Math.min(from - 1, low + 1);
    weights[i * from + low]! += 1 - (position - low);
    weights[i * from + high]! += position - low;
  }
  return weights;
}
