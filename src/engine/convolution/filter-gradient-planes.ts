import { DataTypeCode, type GraphOutput } from '../c-api.js';
import { addInt32s, addOutput, type Graph, imageShape, typeAttribute, volumeShape } from '../graph.js';
import { attribute } from '../native-backend.js';
import { addCast } from '../trace-ops.js';
import { addPlanes, imageAttributes } from './planes.js';

/**
 * The filter gradient of a 3x3x3 convolution as three filter gradients of 3x3 convolutions over the volume's
 * planes, one for each of the filter's own planes: oneDNN's kernel for images reaches 1.2 times the rate of
 * its kernel for volumes. Pairs of a plane with the padding beyond the volume are left out.
 * @param image    [B, D, H, W, in], D at least 2
 * @param gradient [B, D, H, W, out] of the output
 * @param type     of both: float32 or bfloat16
 * @returns [3, 3, 3, in, out], float32
 */
export function addFilterGradientByPlanes(
  graph: Graph,
  image: GraphOutput,
  gradient: GraphOutput,
  type: number,
): GraphOutput {
  const [batch, depth] = volumeShape(graph, image);
  const items = Array.from({ length: batch }, (_, item) => item);
  const taps = [-1, 0, 1].map((ahead) => {
    const parts = items.map((item) => {
      const count = depth - Math.abs(ahead);
      const x = addPlanes(graph, image, { item, first: Math.max(0, ahead), count }, type);
      const dy = addPlanes(graph, gradient, { item, first: Math.max(0, -ahead), count }, type);
      return addCast(graph, planeGradient(graph, x, dy, type), type, DataTypeCode.float32);
    });
    return parts.reduce((sum, part) =>
      addOutput(graph, 'AddV2', [sum, part], [typeAttribute('T', DataTypeCode.float32)]),
    );
  });
  return addOutput(graph, 'Pack', taps, [
    typeAttribute('T', DataTypeCode.float32),
    attribute.int('N', 3),
    attribute.int('axis', 0),
  ]);
}

/** [3, 3, in, out] of planes [N, H, W, in] and their output gradients [N, H, W, out]. */
function planeGradient(graph: Graph, x: GraphOutput, dy: GraphOutput, type: number): GraphOutput {
  const channels = (output: GraphOutput) => imageShape(graph, output)[3];
  return addOutput(
    graph,
    'Conv2DBackpropFilter',
    [x, addInt32s(graph, [3, 3, channels(x), channels(dy)]), dy],
    imageAttributes(type),
  );
}
