import { byteAt, itemAt } from '../../at.js';
import { after } from '../after.js';
import { valuesAtATime } from '../devices.js';
import { bindScope } from '../name-scope.js';
import { float32Attribute, runOp } from '../native-backend.js';
import { keepMask } from '../random.js';
import tf, { type Tensor, type Tensor2D, type Tensor3D, type Tensor4D } from '../tf.js';
import { withGradient } from '../with-gradient.js';
import { batchProduct } from './linear.js';

export interface AttentionOptions {
  readonly heads: number;
  /** Tokens of one window; every token attends to all tokens of its window. */
  readonly tokens: number;
  /**
   * Parts that the windows of one item fall into, by which token attends to no token of another part; absent:
   * nothing is masked.
   */
  readonly parts?: WindowParts | undefined;
  /** Dropout of the attention weights: rate and the key of its draws. */
  readonly drop?: { readonly rate: number; readonly key: number } | undefined;
}

/**
 * Which of two parts each token is in, along each of `axes` axes: 0 or 1, `[windows, tokens, axes]`. Two
 * tokens attend to each other only when they agree on every axis. The windows repeat from item to item.
 */
export interface WindowParts {
  readonly windows: number;
  readonly axes: number;
  readonly sides: Uint8Array;
}

/** Added to the logit of a pair that may not attend, as MONAI does; the exponential of it is 0 in float32. */
const FORBIDDEN = -100;

/**
 * Attention weights computed at a time on a CPU: they stay in its cache from the product that makes them to the one
 * that uses them.
 */
const WEIGHTS_IN_CACHE = 2 ** 21;

/**
 * Multi-head attention within windows (Vaswani et al. 2017; with a bias by relative position: Liu et al.
 * 2021), scaled by the square root of a head's width. A few windows at a time on a CPU,
 * and the gradient computes the attention weights again instead of keeping them: they are `tokens / width` times as large as anything else
 * in a block, and going through memory with them is what attention costs on a CPU.
 * @param qkv  [windows * tokens, 3 * heads * width] queries, keys and values side by side, each head after
 *   head
 * @param bias [heads, tokens, tokens] added to the logits of every window; absent: nothing
 * @returns [windows * tokens, heads * width]
 */
export function attention(qkv: Tensor2D, options: AttentionOptions, bias?: Tensor3D): Tensor2D {
  return withGradient(bias ? [qkv, bias] : [qkv], () => {
    const value = joinedRows(forward(qkv, options, bias));
    const gradient = bindScope('gradient', (dy: Tensor2D, [savedInput, savedValue, ...savedBias]: Kept) =>
      backward(savedInput, savedValue, dy, options, savedBias[0]),
    );
    const kept: Kept = bias ? [qkv, value, bias] : [qkv, value];
    return { value, kept, gradient };
  });
}

/** Input and value, and the bias where there is one. */
type Kept = readonly [Tensor2D, Tensor2D, ...Tensor3D[]];

/** Windows `from` to `to`. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly index: number;
}

function forward(qkv: Tensor2D, options: AttentionOptions, bias?: Tensor3D): Tensor2D[] {
  const results: Tensor2D[] = [];
  for (const span of spans(qkv, options)) {
    const rows = rowsOf(qkv, span, options, results.at(-1));
    const { weights, v } = attentionWeights(rows, span, options, bias);
    results.push(asRows(batchProduct(dropped(weights, span, options), v)));
  }
  return results;
}

function backward(
  qkv: Tensor2D,
  y: Tensor2D,
  dy: Tensor2D,
  options: AttentionOptions,
  bias?: Tensor3D,
): Tensor[] {
  const { heads, tokens } = options;
  const width = dy.shape[1] / heads;
  const results: Tensor2D[] = [];
  let biasGradient: Tensor3D | undefined;
  for (const span of spans(qkv, options)) {
    const earlier = results.at(-1) ?? dy;
    const { weights, q, k, v } = attentionWeights(rowsOf(qkv, span, options, earlier), span, options, bias);
    const dyRows = rowsOf(dy, span, options, earlier);
    const dOut = headsFirst(dyRows, heads, tokens); // [windows, heads, tokens, width]
    const dv = batchProduct(dropped(weights, span, options), dOut, { transposeLeft: true });
    const dWeights = dropped(batchProduct(dOut, v, { transposeRight: true }), span, options);
    // What softmax's gradient takes away from each row is the row of dy times that of y: a sum over a head's
    // width, not over all tokens.
    const shared = dyRows
      .mul(rowsOf(y, span, options, earlier))
      .reshape([-1, tokens, heads, width])
      .sum(3)
      .transpose([0, 2, 1])
      .expandDims<Tensor4D>(3); // [windows, heads, tokens, 1]
    const dLogits = dWeights.sub(shared).mul<Tensor4D>(weights);
    if (bias) {
      const sum = dLogits.sum<Tensor3D>(0);
      biasGradient = biasGradient ? biasGradient.add(sum) : sum;
    }
    const dq = batchProduct(dLogits, k).mul(1 / Math.sqrt(width));
    const dk = batchProduct(dLogits, q, { transposeLeft: true });
    const joined = tf.stack([dq, dk, dv]); // [3, windows, heads, tokens, width]
    results.push(joined.transpose([1, 3, 0, 2, 4]).reshape([-1, 3 * heads * width]));
  }
  return [joinedRows(results), ...(biasGradient ? [biasGradient] : [])];
}

/**
 * Softmax of the logits of some windows, with the queries (already scaled), keys and values that made them:
 * [windows, heads, tokens, ...].
 */
function attentionWeights(
  rows: Tensor2D,
  span: Span,
  { heads, tokens, parts }: AttentionOptions,
  bias?: Tensor3D,
) {
  const width = rows.shape[1] / 3 / heads;
  // [3, windows, heads, tokens, width].
  const split = rows.reshape([-1, tokens, 3, heads, width]).transpose([2, 0, 3, 1, 4]);
  const part = (i: number) => split.slice(i, 1).reshape<Tensor4D>(split.shape.slice(1));
  const [q, k, v] = [part(0).mul<Tensor4D>(1 / Math.sqrt(width)), part(1), part(2)];
  const logits = parts
    ? batchProduct(...withParts(q, k, span, parts), { transposeRight: true })
    : batchProduct(q, k, { transposeRight: true });
  const weights = runOp<Tensor4D>('Softmax', [float32Attribute()], [bias ? logits.add(bias) : logits]);
  return { weights, q, k, v };
}

/**
 * Queries and keys with columns of their own for the parts, whose products add `FORBIDDEN` for each axis on
 * which two tokens differ, and exactly 0 where they agree: the mask comes out of the product itself, at no
 * pass over the logits.
 */
function withParts(
  q: Tensor4D,
  k: Tensor4D,
  { from, to }: Span,
  { windows, axes, sides }: WindowParts,
): [Tensor4D, Tensor4D] {
  const [, heads, tokens] = q.shape;
  // Whole items are alike: the columns of one are repeated.
  const items = from % windows === 0 && (to - from) % windows === 0 ? (to - from) / windows : 1;
  const count = (to - from) / items;
  const queryCode = new Float32Array(count * tokens * 2 * axes);
  const keyCode = new Float32Array(queryCode.length);
  let at = 0;
  for (let window = from; window < from + count; window++) {
    const first = (window % windows) * tokens * axes;
    for (let i = 0; i < tokens * axes; i++, at += 2) {
      const side = byteAt(sides, first + i);
      queryCode[at] = FORBIDDEN * side;
      queryCode[at + 1] = FORBIDDEN * (1 - side);
      keyCode[at] = 1 - side;
      keyCode[at + 1] = side;
    }
  }
  const columns = (code: Float32Array) =>
    tf.tensor4d(code, [count, 1, tokens, 2 * axes]).tile<Tensor4D>([items, heads, 1, 1]);
  return [tf.concat([q, columns(queryCode)], 3), tf.concat([k, columns(keyCode)], 3)];
}

function dropped(weights: Tensor4D, { index }: Span, { drop }: AttentionOptions): Tensor4D {
  if (!drop || drop.rate === 0) return weights;
  const keep = keepMask(weights.shape, drop.rate, drop.key + index, weights);
  return weights.mul(keep.cast('float32').div(1 - drop.rate));
}

function spans(qkv: Tensor2D, { heads, tokens }: AttentionOptions): Span[] {
  const windows = qkv.shape[0] / tokens;
  const atATime = Math.max(1, Math.floor(valuesAtATime(WEIGHTS_IN_CACHE) / (heads * tokens * tokens)));
  const count = Math.ceil(windows / atATime);
  return Array.from({ length: count }, (_, index) => ({
    index,
    from: index * atATime,
    to: Math.min(windows, (index + 1) * atATime),
  }));
}

/**
 * The rows of some windows, not before `earlier` is there, so that one span is done before the next begins.
 */
function rowsOf(x: Tensor2D, { from, to }: Span, { tokens }: AttentionOptions, earlier?: Tensor): Tensor2D {
  const rows = x.slice([from * tokens, 0], [(to - from) * tokens, x.shape[1]]);
  return earlier ? after(rows, earlier) : rows;
}

/** [windows * tokens, heads * width] to [windows, heads, tokens, width]. */
const headsFirst = (rows: Tensor2D, heads: number, tokens: number): Tensor4D =>
  rows.reshape([-1, tokens, heads, rows.shape[1] / heads]).transpose([0, 2, 1, 3]);

/** [windows, heads, tokens, width] to [windows * tokens, heads * width]. */
function asRows(x: Tensor4D): Tensor2D {
  const [windows, heads, tokens, width] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([windows * tokens, heads * width]);
}

const joinedRows = (parts: readonly Tensor2D[]): Tensor2D =>
  parts.length === 1 ? itemAt(parts, 0) : tf.concat([...parts], 0);
