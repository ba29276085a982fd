import { after } from '../after.js';
import { bindPlace } from '../place.js';
import { keepMask } from '../random.js';
import tf, { type Tensor, type Tensor1D, type Tensor2D } from '../tf.js';
import { geluDerivative, geluValue } from './activation.js';
import { affine, columnSums, matrixProduct } from './linear.js';

/** Values of the hidden layer computed at a time, which then stay in the processor's cache. */
const HIDDEN_AT_A_TIME = 2 ** 20;

/**
 * Two linear layers with an exact GELU between them, the perceptron of a transformer's block. Some rows at a time, and the gradient
 * computes the hidden layer again instead of keeping it: it is four times as wide as the rest of a block.
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
  const op = tf.customGrad((...args) => {
    const [input, ...weights] = args.slice(0, 5) as unknown as [Tensor2D, Tensor, Tensor, Tensor, Tensor];
    const save = args[5] as unknown as (tensors: Tensor[]) => void;
    save([input, ...weights]);
    const spans = rowSpans(input.shape[0], weights[0].shape[1] as number);
    const results: Tensor[] = [];
    for (const [i, span] of spans.entries()) {
      const { activated } = hidden(rows(input, span, results.at(-1)), weights[0], weights[1], drop, i);
      results.push(affine(activated, weights[2], weights[3]));
    }
    const gradient = bindPlace('gradient', (dy: Tensor, saved: Tensor[]) => backward(dy, saved as [Tensor, Tensor, Tensor, Tensor, Tensor], drop));
    return { value: joined(results), gradFunc: gradient };
  });
  return op(x, w1, b1, w2, b2) as Tensor2D;
}

type Drop = { readonly rate: number; readonly key: number };
type Span = readonly [from: number, count: number];

function backward(dy: Tensor, [x, w1, b1, w2]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor], drop: Drop): Tensor[] {
  const parts: Tensor[][] = [];
  const dxs: Tensor[] = [];
  for (const [i, span] of rowSpans(x.shape[0] as number, w1.shape[1] as number).entries()) {
    const earlier = dxs.at(-1) ?? dy;
    const [input, slope] = [rows(x, span, earlier), rows(dy, span, earlier)];
    const { preactivation, activated, keep } = hidden(input, w1, b1, drop, i);
    const dActivated = matrixProduct(slope, w2, { transposeRight: true });
    const dHidden = (keep ? dActivated.mul(keep) : dActivated).mul(geluDerivative(preactivation));
    parts.push([
      matrixProduct(input, dHidden, { transposeLeft: true }),
      columnSums(dHidden),
      matrixProduct(activated, slope, { transposeLeft: true }),
      columnSums(slope),
    ]);
    dxs.push(matrixProduct(dHidden, w1, { transposeRight: true }));
  }
  const sums = parts.reduce((total, part) => total.map((tensor, i) => tensor.add(part[i] as Tensor)));
  return [joined(dxs), ...sums];
}

function hidden(x: Tensor, w1: Tensor, b1: Tensor, { rate, key }: Drop, index: number) {
  const preactivation = affine(x, w1, b1);
  const value = geluValue(preactivation);
  if (rate === 0) return { preactivation, activated: value };
  const keep = keepMask(value.shape, rate, key + index, preactivation)
    .cast('float32')
    .div(1 - rate);
  return { preactivation, activated: value.mul(keep), keep };
}

function rowSpans(count: number, width: number): Span[] {
  const atATime = Math.max(64, Math.floor(HIDDEN_AT_A_TIME / width));
  return Array.from({ length: Math.ceil(count / atATime) }, (_, i) => [i * atATime, Math.min(atATime, count - i * atATime)]);
}

/** Some rows, not before `earlier` is there, so that one span is done before the next begins. */
function rows(x: Tensor, [from, count]: Span, earlier?: Tensor): Tensor {
  const taken = x.slice([from, 0], [count, x.shape[1] as number]);
  return earlier ? after(taken, earlier) : taken;
}

const joined = (parts: readonly Tensor[]): Tensor => (parts.length === 1 ? (parts[0] as Tensor) : tf.concat([...parts], 0));
