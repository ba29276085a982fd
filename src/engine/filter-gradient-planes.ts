import { DataTypeCode, type GraphOutput } from './c-api.js';
import { addInt32s, addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import { attribute, type OpAttribute } from './native-backend.js';
import { addCast } from './trace-ops.js';

/**
 * The filter gradient of a 3x3x3 convolution as three filter gradients of 3x3 convolutions over the volume's planes, one for each of the
 * filter's own planes: oneDNN's kernel for images reaches 1.2 times the rate of its kernel for volumes. The planes that a tap pairs are
 * ranges of the slowest axis, which TensorFlow slices without a copy; pairs with the padding beyond the volume are left out.
 * @param image    [B, D, H, W, in], D at least 2
 * @param gradient [B, D, H, W, out] of the output
 * @param type     of both: float32 or bfloat16
 * @returns [3, 3, 3, in, out], float32
 */
export function addFilterGradientByPlanes(graph: Graph, image: GraphOutput, gradient: GraphOutput, type: number): GraphOutput {
  const [batch, depth] = describeOutput(graph, image).shape as [number, number];
  const items = Array.from({ length: batch }, (_, item) => item);
  const taps = [-1, 0, 1].map((ahead) => {
    const parts = items.map((item) => {
      const planes = depth - Math.abs(ahead);
      const x = planesOf(graph, image, item, Math.max(0, ahead), planes, type);
      const dy = planesOf(graph, gradient, item, Math.max(0, -ahead), planes, type);
      return addCast(graph, planeGradient(graph, x, dy, type), type, DataTypeCode.float32);
    });
    return parts.reduce((sum, part) => addOutput(graph, 'AddV2', [sum, part], [typeAttribute('T', DataTypeCode.float32)]));
  });
  return addOutput(graph, 'Pack', taps, [typeAttribute('T', DataTypeCode.float32), attribute.int('N', 3), attribute.int('axis', 0)]);
}

/** [3, 3, in, out] of planes [N, H, W, in] and their output gradients [N, H, W, out]. */
function planeGradient(graph: Graph, x: GraphOutput, dy: GraphOutput, type: number): GraphOutput {
  const channels = (output: GraphOutput) => describeOutput(graph, output).shape[3] as number;
  const attributes: OpAttribute[] = [
    typeAttribute('T', type),
    attribute.int('strides', [1, 1, 1, 1]),
    attribute.string('padding', 'SAME'),
    attribute.string('data_format', 'NHWC'),
    attribute.int('dilations', [1, 1, 1, 1]),
  ];
  return addOutput(graph, 'Conv2DBackpropFilter', [x, addInt32s(graph, [3, 3, channels(x), channels(dy)]), dy], attributes);
}

/** `count` planes of one item from `first` on, [count, H, W, C]. */
function planesOf(graph: Graph, volume: GraphOutput, item: number, first: number, count: number, type: number): GraphOutput {
  const [batch, depth, ...plane] = describeOutput(graph, volume).shape as [number, number, number, number, number];
  const all = addOutput(
    graph,
    'Reshape',
    [volume, addInt32s(graph, [batch * depth, ...plane])],
    [typeAttribute('T', type), typeAttribute('Tshape', DataTypeCode.int32)],
  );
  if (count === batch * depth) return all;
  const range = [addInt32s(graph, [item * depth + first, 0, 0, 0]), addInt32s(graph, [count, ...plane])];
  return addOutput(graph, 'Slice', [all, ...range], [typeAttribute('T', type), typeAttribute('Index', DataTypeCode.int32)]);
}
