import { DataTypeCode, type GraphOutput } from './c-api.js';
import { devices } from './devices.js';
import { addFilterGradientByPlanes } from './filter-gradient-planes.js';
import { addFilterGradientByProducts, gainsByProducts } from './filter-gradient-products.js';
import { addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import type { OpAttribute } from './native-backend.js';
import { addCast } from './trace-ops.js';
import { addWinogradConvolution, addWinogradFilterGradient, addWinogradInputGradient } from './winograd.js';

export const filterGradientOp = 'Conv3DBackpropFilterV2';

/**
 * A convolution in float32, or one of its gradients, by the fastest route of this machine's CPU; a GPU has but the op itself.
 * @returns undefined for any other op
 */
export function addConvolution(
  graph: Graph,
  name: string,
  operands: readonly GraphOutput[],
  attributes: readonly OpAttribute[],
): GraphOutput | undefined {
  if (name === filterGradientOp) return addFilterGradient(graph, operands, attributes, DataTypeCode.float32);
  if (name !== 'Conv3D' && name !== 'Conv3DBackpropInputV2') return undefined;
  const [first, filter, gradient] = operands as [GraphOutput, GraphOutput, GraphOutput];
  const volume = name === 'Conv3D' ? first : gradient; // of the same size as the other, at stride 1
  const { shape: size } = describeOutput(graph, volume);
  if (!isPlain3x3x3(describeOutput(graph, filter).shape, attributes) || !gainsByWinograd(size.slice(1, 4), describeOutput(graph, filter).shape)) {
    return addOutput(graph, name, operands, attributes);
  }
  return name === 'Conv3D' ? addWinogradConvolution(graph, volume, filter) : addWinogradInputGradient(graph, filter, volume);
}

/**
 * `Conv3DBackpropFilterV2` by the fastest route of this machine's CPU; a GPU has but the op itself.
 * @param operands of the op: image [B, D, H, W, in], filter size, output gradient [B, D, H, W, out]
 * @param type     of image and output gradient: float32, or bfloat16 where the CPU multiplies it
 * @returns the filter gradient [k, k, k, in, out], float32
 */
export function addFilterGradient(graph: Graph, operands: readonly GraphOutput[], attributes: readonly OpAttribute[], type: number): GraphOutput {
  const typed = attributes.map((a) => (a.name === 'T' ? typeAttribute('T', type) : a));
  const direct = addOutput(graph, filterGradientOp, operands, typed); // pruned when nothing uses it
  const [image, , gradient] = operands as [GraphOutput, GraphOutput, GraphOutput];
  const route = filterGradientRoute(describeOutput(graph, image).shape, describeOutput(graph, direct).shape, attributes, type);
  if (route === 'winograd') return addWinogradFilterGradient(graph, image, gradient);
  if (route === 'planes') return addFilterGradientByPlanes(graph, image, gradient, type);
  if (route === 'products') return addFilterGradientByProducts(graph, image, gradient);
  return addCast(graph, direct, type, DataTypeCode.float32);
}

/** From so many voxels on, about 40^3, the route by planes gains. */
const LEAST_VOXELS_BY_PLANES = 2 ** 16;

function filterGradientRoute(
  [, ...image]: readonly number[],
  filter: readonly number[],
  attributes: readonly OpAttribute[],
  type: number,
): 'direct' | 'planes' | 'products' | 'winograd' {
  if (!isPlain3x3x3(filter, attributes)) return 'direct';
  const [inputs, outputs] = filter.slice(3) as [number, number];
  const size = image.slice(0, 3);
  if (devices().bfloat16 === 'rounded') return gainsByProducts(size, inputs, outputs) ? 'products' : 'direct';
  if (type === DataTypeCode.float32) return gainsByWinograd(size, filter) ? 'winograd' : 'direct';
  const isLarge = voxels(size) >= LEAST_VOXELS_BY_PLANES && Math.min(...size) >= 3;
  return isLarge && inputs >= 16 ? 'planes' : 'direct';
}

/** Below so many channels in or out the transforms cost what the products save, and below so many voxels the calls of many ops do. */
const [LEAST_CHANNELS_BY_WINOGRAD, LEAST_VOXELS_BY_WINOGRAD] = [32, 10 ** 3];

function gainsByWinograd(size: readonly number[], [, , , inputs = 0, outputs = 0]: readonly number[]): boolean {
  return Math.min(inputs, outputs) >= LEAST_CHANNELS_BY_WINOGRAD && voxels(size) >= LEAST_VOXELS_BY_WINOGRAD;
}

/** Whether a filter is 3x3x3 and of stride 1, on a CPU. */
function isPlain3x3x3([kd, kh, kw]: readonly number[], attributes: readonly OpAttribute[]): boolean {
  const value = (name: string) => attributes.find((given) => given.name === name)?.value;
  const strides = value('strides') as readonly number[];
  return devices().kind === 'cpu' && kd === 3 && kh === 3 && kw === 3 && strides.every((n) => n === 1) && value('padding') === 'SAME';
}

const voxels = (size: readonly number[]): number => size.reduce((product, n) => product * n, 1);
