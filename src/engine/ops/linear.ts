import { after } from '../after.js';
import { bindScope } from '../name-scope.js';
import { attribute, float32Attribute, runOp } from '../native-backend.js';
import type { Tensor, Tensor1D, Tensor2D } from '../tf.js';
import { withGradient } from '../with-gradient.js';

/**
 * Linear layer: `x w + b`.
 * @param x [rows, in]
 * @param w [in, out]
 * @param b [out]; absent: no bias
 * @returns [rows, out]
 */
export function linear(x: Tensor2D, w: Tensor2D, b?: Tensor1D): Tensor2D {
  return withGradient(b ? [x, w, b] : [x, w], () => {
    const gradient = bindScope(
      'gradient',
      (dy: Tensor2D, [savedX, savedW]: readonly [Tensor2D, Tensor2D]) => {
        const dw = matrixProduct(after(savedX, dy), dy, { transposeLeft: true });
        return [matrixProduct(dy, savedW, { transposeRight: true }), dw, ...(b ? [columnSums(dy)] : [])];
      },
    );
    return { value: affine(x, w, b), kept: [x, w] as const, gradient };
  });
}

/** `x w + b` of matrices, not differentiated: for use inside ops with gradients of their own. */
export function affine(x: Tensor2D, w: Tensor2D, b?: Tensor1D): Tensor2D {
  const product = matrixProduct(x, w);
  return b
    ? runOp('BiasAdd', [float32Attribute(), attribute.string('data_format', 'NHWC')], [product, b])
    : product;
}

/** Sum of the rows of [rows, n], the gradient of a bias: [n]. */
export function columnSums(x: Tensor2D): Tensor1D {
  return runOp('BiasAddGrad', [float32Attribute(), attribute.string('data_format', 'NHWC')], [x]);
}

interface Transposition {
  readonly transposeLeft?: boolean;
  readonly transposeRight?: boolean;
}

/** Product of two matrices, either of them transposed first; not differentiated. */
export function matrixProduct(
  a: Tensor2D,
  b: Tensor2D,
  { transposeLeft = false, transposeRight = false }: Transposition = {},
): Tensor2D {
  const attributes = [
    float32Attribute(),
    attribute.bool('transpose_a', transposeLeft),
    attribute.bool('transpose_b', transposeRight),
  ];
  return runOp('MatMul', attributes, [a, b]);
}

/** Products of matrices in the last two axes, the axes before them alike; not differentiated. */
export function batchProduct<T extends Tensor>(
  a: T,
  b: T,
  { transposeLeft = false, transposeRight = false }: Transposition = {},
): T {
  const attributes = [
    float32Attribute(),
    attribute.bool('adj_x', transposeLeft),
    attribute.bool('adj_y', transposeRight),
  ];
  return runOp('BatchMatMulV2', attributes, [a, b]);
}
