import { DataTypeCode, type GraphOutput } from '../c-api.js';
import { addInt32s, addOutput, describeOutput, type Graph, typeAttribute, volumeShape } from '../graph.js';
import { attribute } from '../native-backend.js';
import { addConcatenation, addReshape } from './planes.js';

// 3x3x3 convolutions of stride 1 in float32 to so few channels that they would leave half of a vector unused:
// two neighbouring voxels of a row are computed as one of twice the channels, by a filter that is one tap
// wider and goes two voxels on. It multiplies a third more often, by zeros, but all of the vector.

const { float32, int32 } = DataTypeCode;

/**
 * `Conv3D`.
 * @param image  [B, D, H, W, in], W even
 * @param filter [3, 3, 3, in, out]
 * @returns [B, D, H, W, out]
 */
export function addFoldedConvolution(graph: Graph, image: GraphOutput, filter: GraphOutput): GraphOutput {
  const { shape } = describeOutput(graph, image);
  const [, , , , outputs] = volumeShape(graph, filter);
  const both = addConcatenation(
    graph,
    [addPadded(graph, filter, [0, 1]), addPadded(graph, filter, [1, 0])],
    float32,
    4,
  );
  const attributes = [
    typeAttribute('T', float32),
    attribute.int('strides', [1, 1, 1, 2, 1]),
    attribute.string('padding', 'SAME'),
  ];
  const pairs = addOutput(graph, 'Conv3D', [image, both], attributes); // [B, D, H, W / 2, 2 * out]
  return addReshape(graph, pairs, [...shape.slice(0, 4), outputs], float32);
}

/**
 * `Conv3DBackpropInputV2`: the convolution of the output's gradient with the filter turned round.
 * @param filter   [3, 3, 3, in, out]
 * @param gradient [B, D, H, W, out] of the output, W even
 * @returns [B, D, H, W, in]
 */
export function addFoldedInputGradient(
  graph: Graph,
  filter: GraphOutput,
  gradient: GraphOutput,
): GraphOutput {
  const turned = addOutput(
    graph,
    'ReverseV2',
    [filter, addInt32s(graph, [0, 1, 2])],
    [typeAttribute('T', float32), typeAttribute('Tidx', int32)],
  );
  const attributes = [typeAttribute('T', float32), typeAttribute('Tperm', int32)];
  return addFoldedConvolution(
    graph,
    gradient,
    addOutput(graph, 'Transpose', [turned, addInt32s(graph, [0, 1, 2, 4, 3])], attributes),
  );
}

/** A filter with taps of zeros before and behind it along W. */
function addPadded(
  graph: Graph,
  filter: GraphOutput,
  [before, behind]: readonly [number, number],
): GraphOutput {
  const margins = addInt32s(graph, [0, 0, 0, 0, before, behind, 0, 0, 0, 0]);
  const paddings = addReshape(graph, margins, [5, 2], int32);
  return addOutput(
    graph,
    'Pad',
    [filter, paddings],
    [typeAttribute('T', float32), typeAttribute('Tpaddings', int32)],
  );
}
