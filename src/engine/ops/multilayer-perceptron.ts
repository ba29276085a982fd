import { itemAt } from '../../at.js';
import { after } from '../after.js';
import { valuesAtATime } from '../devices.js';
import { bindScope } from '../name-scope.js';
import { keepMask } from '../random.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../tf.js';
import { withGradient } from '../with-gradient.js';
import { geluDerivative, geluValue } from './activation.js';
import { affine, columnSums, matrixProduct } from './linear.js';

/** Values of the hidden layer computed at a time on a CPU, which then stay in its cache. */
const HIDDEN_IN_CACHE = 2 ** 20;

/**
 * Two linear layers with an exact GELU between them, the perceptron of a transformer's block. Some rows at a
 * time on a CPU, and the gradient computes the hidden layer again instead of keeping it: it is four times as wide as
 * the rest of a block.
 * @param x  [rows, in]
 * @param w1 [in, hidden]
 * @param w2 [hidden, out]
 * @param drop dropout of the hidden layer: rate and the key of its draws
 * @returns [rows, out]
 */
export function multilayerPerceptron(
  x: Tensor2D,
  w1: Tensor2D,
  b1: Tensor1D,
  w2: Tensor2D,
  b2: Tensor1D,
  drop: { readonly rate: number; readonly key: number } = { rate: 0, key: 0 },
): Tensor2D {
  return withGradient([x, w1, b1, w2, b2], () => {
    const results: Tensor2D[] = [];
    for (const [i, span] of rowSpans(x.shape[0], w1.shape[1]).entries()) {
      const { activated } = hidden(rows(x, span, results.at(-1)), w1, b1, drop, i);
      results.push(affine(activated, w2, b2));
    }
    const gradient = bindScope('gradient', (dy: Tensor2D, kept: Kept) => backward(dy, kept, drop));
    return { value: joined(results), kept: [x, w1, b1, w2] as const, gradient };
  });
}

/** Rows, and of the weights all but the last bias. */
type Kept = readonly [x: Tensor2D, w1: Tensor2D, b1: Tensor1D, w2: Tensor2D];

type Drop = { readonly rate: number; readonly key: number };
type Span = readonly [from: number, count: number];

function backward(dy: Tensor2D, [x, w1, b1, w2]: Kept, drop: Drop): Tensor[] {
  const parts: Tensor[][] = [];
  const dxs: Tensor2D[] = [];
  for (const [i, span] of rowSpans(x.shape[0], w1.shape[1]).entries()) {
    const earlier = dxs.at(-1) ?? dy;
    const [input, slope] = [rows(x, span, earlier), rows(dy, span, earlier)];
    const { preactivation, activated, keep } = hidden(input, w1, b1, drop, i);
    const dActivated = matrixProduct(slope, w2, { transposeRight: true });
    const dHidden = (keep ? dActivated.mul<Tensor2D>(keep) : dActivated).mul<Tensor2D>(
      geluDerivative(preactivation),
    );
    parts.push([
      matrixProduct(input, dHidden, { transposeLeft: true }),
      columnSums(dHidden),
      matrixProduct(activated, slope, { transposeLeft: true }),
      columnSums(slope),
    ]);
    dxs.push(matrixProduct(dHidden, w1, { transposeRight: true }));
  }
  const sums = parts.reduce((total, part) => total.map((tensor, i) => tensor.add(itemAt(part, i))));
  return [joined(dxs), ...sums];
}

function hidden(x: Tensor2D, w1: Tensor2D, b1: Tensor1D, { rate, key }: Drop, index: number) {
  const preactivation = affine(x, w1, b1);
  const value = geluValue(preactivation);
  if (rate === 0) return { preactivation, activated: value };
  const keep = keepMask(value.shape, rate, key + index, preactivation)
    .cast('float32')
    .div(1 - rate);
  return { preactivation, activated: value.mul<Tensor2D>(keep), keep };
}

function rowSpans(count: number, width: number): Span[] {
  const atATime = Math.max(64, Math.floor(valuesAtATime(HIDDEN_IN_CACHE) / width));
  return Array.from({ length: Math.ceil(count / atATime) }, (_, i) => [
    i * atATime,
    Math.min(atATime, count - i * atATime),
  ]);
}

/** Some rows, not before `earlier` is there, so that one span is done before the next begins. */
function rows(x: Tensor2D, [from, count]: Span, earlier?: Tensor): Tensor2D {
  const taken = x.slice([from, 0], [count, x.shape[1]]);
  return earlier ? after(taken, earlier) : taken;
}

const joined = (parts: readonly Tensor2D[]): Tensor2D =>
  parts.length === 1 ? itemAt(parts, 0) : tf.concat([...parts], 0);
