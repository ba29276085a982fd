import { after } from '../after.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import { bindPlace } from '../place.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../tf.js';

/**
 * Linear layer: `x w + b`.
 * @param x [rows, in]
 * @param w [in, out]
 * @param b [out]; absent: no bias
 * @returns [rows, out]
 */
export function linear(x: Tensor2D, w: Tensor2D, b?: Tensor1D): Tensor2D {
  const op = tf.customGrad((...args) => {
    const [input, weight, rest] = args as unknown as [Tensor2D, Tensor2D, unknown];
    const bias = b ? (rest as Tensor1D) : undefined;
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    save([input, weight]);
    const gradient = bindPlace('gradient', (dy: Tensor, saved: Tensor[]) => {
      const [savedX, savedW] = saved as [Tensor2D, Tensor2D];
      const dw = matrixProduct(after(savedX, dy), dy, { transposeLeft: true });
      return [matrixProduct(dy, savedW, { transposeRight: true }), dw, ...(bias ? [columnSums(dy)] : [])];
    });
    return { value: affine(input, weight, bias), gradFunc: gradient };
  });
  return (b ? op(x, w, b) : op(x, w)) as Tensor2D;
}

/** `x w + b` of matrices, not differentiated: for use inside ops with gradients of their own. */
export function affine(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  const product = matrixProduct(x, w);
  return b ? runOp('BiasAdd', [float32Attribute(), attribute.string('data_format', 'NHWC')], [product, b]) : product;
}

/** Sum of the rows of [rows, n], the gradient of a bias: [n]. */
export function columnSums(x: Tensor): Tensor {
  return runOp('BiasAddGrad', [float32Attribute(), attribute.string('data_format', 'NHWC')], [x]);
}

interface Transposition {
  readonly transposeLeft?: boolean;
  readonly transposeRight?: boolean;
}

/** Product of two matrices, either of them transposed first; not differentiated. */
export function matrixProduct(a: Tensor, b: Tensor, { transposeLeft = false, transposeRight = false }: Transposition = {}): Tensor {
  const attributes = [float32Attribute(), attribute.bool('transpose_a', transposeLeft), attribute.bool('transpose_b', transposeRight)];
  return runOp('MatMul', attributes, [a, b]);
}

/** Products of matrices in the last two axes, the axes before them alike; not differentiated. */
export function batchProduct(a: Tensor, b: Tensor, { transposeLeft = false, transposeRight = false }: Transposition = {}): Tensor {
  const attributes = [float32Attribute(), attribute.bool('adj_x', transposeLeft), attribute.bool('adj_y', transposeRight)];
  return runOp('BatchMatMulV2', attributes, [a, b]);
}
