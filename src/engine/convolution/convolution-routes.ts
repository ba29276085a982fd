import { itemAt } from '../../at.js';
import { DataTypeCode, type GraphOutput } from '../c-api.js';
import { target } from '../devices.js';
import { addOutput, describeOutput, type Graph, typeAttribute, volumeShape } from '../graph.js';
import type { OpAttribute } from '../native-backend.js';
import { isInference } from '../step-mode.js';
import { addCast } from '../trace-ops.js';
import { addFilterGradientByPlanes } from './filter-gradient-planes.js';
import { addFilterGradientByProducts, gainsByProducts } from './filter-gradient-products.js';
import { addFoldedConvolution, addFoldedInputGradient } from './folded-convolution.js';
import { addWinogradConvolution, addWinogradFilterGradient, addWinogradInputGradient } from './winograd.js';

const { float32, bfloat16 } = DataTypeCode;

export const filterGradientOp = 'Conv3DBackpropFilterV2';

/**
 * A convolution or one of its gradients, multiplied in float32 by the fastest route of this machine's CPU; a
 * GPU has but the op itself.
 * @param operands of the op, float32; volumes and filter may be bfloat16 values
 * @returns a volume of the given volume's type, a filter gradient in float32; undefined for any other op
 */
export function addConvolution(
  graph: Graph,
  name: string,
  operands: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput | undefined {
  if (name === filterGradientOp) return addFilterGradient(graph, operands, attributes);
  if (name !== 'Conv3D' && name !== 'Conv3DBackpropInputV2') return undefined;
  const isForward = name === 'Conv3D';
  const [volume, filter] = [itemAt(operands, isForward ? 0 : 2), itemAt(operands, 1)];
  const { shape, dtype } = describeOutput(graph, volume);
  const size = shape.slice(1, 4); // at stride 1 that of the other volume
  const taps = volumeShape(graph, filter);
  if (isPlain3x3x3(taps, attributes)) {
    if (gainsByWinograd(size, taps)) {
      const weights = addWide(graph, filter);
      return isForward
        ? addWinogradConvolution(graph, volume, weights)
        : addWinogradInputGradient(graph, weights, volume);
    }
    // Those of what is computed.
    const [inputs, outputs] = isForward ? [taps[3], taps[4]] : [taps[4], taps[3]];
    if (gainsByFolding(size, inputs, outputs)) {
      const [wide, weights] = [addWide(graph, volume), addWide(graph, filter)];
      const folded = isForward
        ? addFoldedConvolution(graph, wide, weights)
        : addFoldedInputGradient(graph, weights, wide);
      return addCast(graph, folded, float32, dtype);
    }
  }
  return addCast(graph, addWideOp(graph, name, operands, attributes), float32, dtype);
}

/**
 * `Conv3DBackpropFilterV2` as `addConvolution` has it: [k, k, k, in, out] of image [B, D, H, W, in], filter
 * size, output gradient [B, D, H, W, out].
 */
function addFilterGradient(
  graph: Graph,
  operands: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput {
  const direct = addWideOp(graph, filterGradientOp, operands, attributes); // pruned when nothing uses it
  const filter = volumeShape(graph, direct);
  if (!isPlain3x3x3(filter, attributes)) return direct;
  const [image, gradient] = [itemAt(operands, 0), itemAt(operands, 2)];
  const size = describeOutput(graph, image).shape.slice(1, 4);
  if (target().avx512)
    return gainsByWinograd(size, filter) ? addWinogradFilterGradient(graph, image, gradient) : direct;
  const [, , , inputs, outputs] = filter;
  return gainsByProducts(size, inputs, outputs)
    ? addFilterGradientByProducts(graph, addWide(graph, image), addWide(graph, gradient))
    : direct;
}

/** The op itself, in float32. */
function addWideOp(
  graph: Graph,
  name: string,
  operands: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput {
  const wide = operands.map((operand) => addWide(graph, operand));
  return addOutput(graph, name, wide, ofType(attributes, float32));
}

/** Values of bfloat16 in float32; any other output as it is. */
function addWide(graph: Graph, output: GraphOutput): GraphOutput {
  const { dtype } = describeOutput(graph, output);
  return dtype === bfloat16 ? addCast(graph, output, dtype, float32) : output;
}

/**
 * `Conv3DBackpropFilterV2` of bfloat16 volumes by the processor's own products.
 * @param operands of the op: image [B, D, H, W, in], filter size, output gradient [B, D, H, W, out]
 * @returns the filter gradient [k, k, k, in, out], float32
 */
export function addBfloat16FilterGradient(
  graph: Graph,
  operands: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput {
  // Pruned when nothing uses it.
  const direct = addOutput(graph, filterGradientOp, operands, ofType(attributes, bfloat16));
  const [image, gradient] = [itemAt(operands, 0), itemAt(operands, 2)];
  const size = describeOutput(graph, image).shape.slice(1, 4);
  const { shape: filter } = describeOutput(graph, direct);
  const [, , , inputs = 0] = filter;
  const isLarge = voxels(size) >= LEAST_VOXELS_BY_PLANES && Math.min(...size) >= 3;
  if (isPlain3x3x3(filter, attributes) && isLarge && inputs >= 16)
    return addFilterGradientByPlanes(graph, image, gradient, bfloat16);
  return addCast(graph, direct, bfloat16, float32);
}

const ofType = (attributes: readonly OpAttribute[], type: number): OpAttribute[] =>
  attributes.map((given) => (given.name === 'T' ? typeAttribute('T', type) : given));

/** From so many voxels on, about 40^3, the route by planes gains. */
const LEAST_VOXELS_BY_PLANES = 2 ** 16;

/** Below so many voxels the calls of many ops cost what they save. */
const LEAST_VOXELS = 10 ** 3;

/**
 * Below so many channels in or out the transforms cost what the products save. Fewer will do in a volume so
 * large that calls cost nothing, where memory may be taken for it.
 */
const [LEAST_CHANNELS, LEAST_CHANNELS_OF_LARGE, LARGE] = [24, 16, 2 ** 19];

function gainsByWinograd(
  size: readonly number[],
  [, , , inputs = 0, outputs = 0]: readonly number[],
): boolean {
  const least = isInference() && voxels(size) >= LARGE ? LEAST_CHANNELS_OF_LARGE : LEAST_CHANNELS;
  return Math.min(inputs, outputs) >= least && voxels(size) >= LEAST_VOXELS;
}

/** A volume of fewer channels than these costs what its reading costs, whatever is multiplied. */
const LEAST_INPUTS_BY_FOLDING = 4;

/** Whether the outputs of two voxels fit into a vector of 16: AVX2's of 8 are filled anyway. */
function gainsByFolding(size: readonly number[], inputs: number, outputs: number): boolean {
  const pairs = itemAt(size, 2) % 2 === 0;
  return (
    target().avx512 &&
    pairs &&
    voxels(size) >= LEAST_VOXELS &&
    inputs >= LEAST_INPUTS_BY_FOLDING &&
    outputs <= 8
  );
}

/** Whether a filter is 3x3x3 and of stride 1, on a CPU. */
function isPlain3x3x3([kd, kh, kw]: readonly number[], attributes: readonly OpAttribute[]): boolean {
  const value = (name: string) => attributes.find((given) => given.name === name)?.value;
  const strides = value('strides');
  const isStride1 = Array.isArray(strides) && strides.every((n) => n === 1);
  return (
    target().kind === 'cpu' && kd === 3 && kh === 3 && kw === 3 && isStride1 && value('padding') === 'SAME'
  );
}

const voxels = (size: readonly number[]): number => size.reduce((product, n) => product * n, 1);
