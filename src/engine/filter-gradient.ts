import { DataTypeCode, type GraphOutput } from './c-api.js';
import { devices } from './devices.js';
import { addFilterGradientByPlanes } from './filter-gradient-planes.js';
import { addFilterGradientByProducts, gainsByProducts } from './filter-gradient-products.js';
import { addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import type { OpAttribute } from './native-backend.js';
import { addCast } from './trace-ops.js';

export const filterGradientOp = 'Conv3DBackpropFilterV2';

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
  const route = fastestRoute(describeOutput(graph, image).shape, describeOutput(graph, direct).shape, attributes, type);
  if (route === 'planes') return addFilterGradientByPlanes(graph, image, gradient, type);
  if (route === 'products') return addFilterGradientByProducts(graph, image, gradient);
  return addCast(graph, direct, type, DataTypeCode.float32);
}

/** From so many voxels on, about 40^3, the route by planes gains. */
const LEAST_VOXELS_BY_PLANES = 2 ** 16;

function fastestRoute(
  [, ...image]: readonly number[],
  filter: readonly number[],
  attributes: readonly OpAttribute[],
  type: number,
): 'direct' | 'planes' | 'products' {
  const { kind, bfloat16 } = devices();
  const [kd, kh, kw, inputs = 0, outputs = 0] = filter;
  const strides = attributes.find(({ name }) => name === 'strides')?.value as readonly number[];
  if (kind !== 'cpu' || kd !== 3 || kh !== 3 || kw !== 3 || strides.some((n) => n !== 1)) return 'direct';
  const size = image.slice(0, 3);
  if (bfloat16 === 'rounded') return gainsByProducts(size, inputs, outputs) ? 'products' : 'direct';
  const isLarge = size.reduce((product, n) => product * n, 1) >= LEAST_VOXELS_BY_PLANES && Math.min(...size) >= 3;
  return type === DataTypeCode.bfloat16 && isLarge && inputs >= 16 ? 'planes' : 'direct';
}
