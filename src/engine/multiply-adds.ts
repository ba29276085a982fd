import type { GraphOutput } from './c-api.js';
import { describeOutput, type Graph } from './graph.js';
import type { OpAttribute } from './native-backend.js';

/** Multiply-adds of an op of a graph: of convolutions and matrix products, and 0 of all others. */
export function multiplyAddsOf(
  graph: Graph,
  op: string,
  attributes: readonly OpAttribute[],
  inputs: readonly GraphOutput[],
  output: GraphOutput,
): number {
  const shapeOf = (i: number) => describeOutput(graph, inputs[i] as GraphOutput).shape;
  const elements = product(describeOutput(graph, output).shape);
  const isSet = (name: string) => attributes.find((attribute) => attribute.name === name)?.value === true;
  if (op === 'Conv3D') return elements * product(shapeOf(1).slice(0, 4)); // a filter of [k, k, k, in, out]
  if (op === 'Conv3DBackpropInputV2') return product(shapeOf(2)) * product(shapeOf(1).slice(0, 4)); // each value of dy meets [k, k, k, in]
  if (op === 'MatMul') return elements * (shapeOf(0).at(isSet('transpose_a') ? 0 : 1) ?? 0);
  if (op === 'BatchMatMulV2' || op === 'BatchMatMul') return elements * (shapeOf(0).at(isSet('adj_x') ? -2 : -1) ?? 0);
  return 0;
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
