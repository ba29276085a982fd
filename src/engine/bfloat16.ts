import { itemAt } from '../at.js';
import { DataTypeCode, type GraphOutput } from './c-api.js';
import {
  addBfloat16FilterGradient,
  addConvolution,
  filterGradientOp,
} from './convolution/convolution-routes.js';
import { target } from './devices.js';
import { addOp, addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import type { OpAttribute } from './native-backend.js';
import { addAfter, addCast, addNegativeZero, afterOp, negativeZeroOp } from './trace-ops.js';

/** Inputs of the convolution and product kernels that are rounded to bfloat16; the other inputs are sizes. */
const productInputs: Readonly<Record<string, readonly number[]>> = {
  Conv3D: [0, 1],
  Conv3DBackpropInputV2: [1, 2],
  Conv3DBackpropFilterV2: [0, 2],
  BatchMatMulV2: [0, 1],
  BatchMatMul: [0, 1],
  MatMul: [0, 1],
};

/** What lies between two convolutions. Such an op stays in bfloat16 when `leading`, inputs of it, all are. */
interface PassOp {
  readonly leading: readonly number[];
  /** The inputs of the op's own type; `list`: all but the last. */
  readonly values: readonly number[] | 'list';
}

const passOps: Readonly<Record<string, PassOp>> = {
  [afterOp]: { leading: [0], values: [0] },
  [negativeZeroOp]: { leading: [0], values: [0] },
  Reshape: { leading: [0], values: [0] },
  Slice: { leading: [0], values: [0] },
  SplitV: { leading: [0], values: [0] },
  PadV2: { leading: [0], values: [0, 2] },
  ConcatV2: { leading: [0], values: 'list' },
  SelectV2: { leading: [1], values: [1, 2] },
  MaxPool3D: { leading: [0], values: [0] },
  MaxPool3DGrad: { leading: [0], values: [0, 1, 2] },
  Add: { leading: [0, 1], values: [0, 1] }, // of two gradients of one value
  AddV2: { leading: [0], values: [0, 1] },
  Relu: { leading: [0], values: [0] },
  LeakyRelu: { leading: [0], values: [0] },
  LeakyReluGrad: { leading: [1], values: [0, 1] },
  FusedBatchNormV3: { leading: [0], values: [0] },
  FusedBatchNormGradV3: { leading: [1], values: [0, 1] },
};

export interface Bfloat16Writer {
  /**
   * The op's outputs, float32 to whoever takes them; undefined for an op that is to be written in float32.
   */
  add(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly GraphOutput[],
    count: number,
  ): GraphOutput[] | undefined;
}

/**
 * Writes the ops of a step that compute in bfloat16: convolutions and matrix products, and the norms,
 * activations, pooling and rearrangements between two convolutions, which take half the memory and its traffic so. A norm's statistics, sums of gradients, weights and losses stay float32.
 *
 * Each output comes widened to float32, and the values it was widened from are remembered: who can take those
 * does, and a widening that nobody takes is not computed.
 */
export function bfloat16Writer(graph: Graph): Bfloat16Writer {
  const narrow = new Map<GraphOutput, GraphOutput>();
  const widened = (output: GraphOutput): GraphOutput => {
    const wide = addCast(graph, output, DataTypeCode.bfloat16, DataTypeCode.float32);
    narrow.set(wide, output);
    return wide;
  };
  const rounded = (input: GraphOutput, earlier?: GraphOutput): GraphOutput =>
    narrow.get(input) ?? addCast(graph, input, DataTypeCode.float32, DataTypeCode.bfloat16, earlier);
  const { avx512, bfloat16 } = target();
  return {
    add(name, attributes, inputs, count) {
      const products = productInputs[name];
      if (products) {
        const operands = inputs.map((input, i) =>
          products.includes(i) ? rounded(input, earlierThan(name, inputs, i)) : input,
        );
        if (bfloat16 === 'rounded' || isBeyondNativeKernels(graph, name, attributes, inputs)) {
          const product = addRoundedProduct(graph, name, attributes, operands, avx512);
          return [isNarrow(graph, product) ? widened(product) : product];
        }
        if (name === filterGradientOp) return [addBfloat16FilterGradient(graph, operands, attributes)];
        return [widened(addOutput(graph, name, operands, inBfloat16(attributes)))];
      }
      const pass = passOps[name];
      if (!pass?.leading.every((i) => narrow.has(itemAt(inputs, i)))) return undefined;
      const isValue = (i: number) =>
        pass.values === 'list' ? i < inputs.length - 1 : pass.values.includes(i);
      const operands = inputs.map((input, i) => (isValue(i) ? rounded(input) : input));
      if (name === afterOp) return [widened(addAfter(graph, operands, inBfloat16(attributes)))];
      if (name === negativeZeroOp)
        return [addNegativeZero(graph, itemAt(operands, 0), DataTypeCode.bfloat16)];
      const oper = addOp(graph, name, operands, inBfloat16(attributes));
      return Array.from({ length: count }, (_, index) => ({ oper, index })).map((output) =>
        isNarrow(graph, output) ? widened(output) : output,
      );
    },
  };
}

/**
 * What must be there before an operand is converted: a copy that both a product and its gradient take would
 * be kept in between. A convolution's gradient waits for its own gradient, and the product of two matrices,
 * which may be either, for the other one.
 */
function earlierThan(name: string, operands: readonly GraphOutput[], i: number): GraphOutput | undefined {
  if (name.includes('Backprop')) return operands.at(-1);
  return name.includes('MatMul') ? operands[1 - i] : undefined;
}

/**
 * Without hardware that gains by multiplying bfloat16: the rounded operands, multiplied in float32. That is
 * the arithmetic of bfloat16 units, which accumulate in float32, without their speed. With AVX-512, which
 * gains by smaller values between the products, the result is bfloat16 too.
 */
function addRoundedProduct(
  graph: Graph,
  name: string,
  attributes: readonly OpAttribute[],
  operands: readonly GraphOutput[],
  avx512: boolean,
): GraphOutput {
  const wide = operands.map((operand, i) =>
    isNarrow(graph, operand)
      ? addCast(graph, operand, DataTypeCode.bfloat16, DataTypeCode.float32, earlierThan(name, operands, i))
      : operand,
  );
  const convolution = addConvolution(graph, name, avx512 ? operands : wide, attributes);
  if (convolution) return convolution;
  const product = addOutput(graph, name, wide, attributes);
  return avx512 ? addCast(graph, product, DataTypeCode.float32, DataTypeCode.bfloat16) : product;
}

/**
 * oneDNN's bfloat16 kernel for filter gradients writes beyond its memory, and gives other numbers each time,
 * where the filter is deeper than the image: the bottleneck of a small crop.
 */
function isBeyondNativeKernels(
  graph: Graph,
  name: string,
  attributes: readonly OpAttribute[],
  inputs: readonly GraphOutput[],
): boolean {
  if (name !== filterGradientOp || target().kind !== 'cpu') return false;
  const [, imageDepth = 0] = describeOutput(graph, itemAt(inputs, 0)).shape;
  // Pruned: nothing uses it.
  const [filterDepth = 0] = describeOutput(graph, addOutput(graph, name, inputs, attributes)).shape;
  return filterDepth > imageDepth;
}

const inBfloat16 = (attributes: readonly OpAttribute[]): OpAttribute[] =>
  attributes.map((a) => (a.name === 'T' ? typeAttribute('T', DataTypeCode.bfloat16) : a));

const isNarrow = (graph: Graph, output: GraphOutput): boolean =>
  describeOutput(graph, output).dtype === DataTypeCode.bfloat16;
