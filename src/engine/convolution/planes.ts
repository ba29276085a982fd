import { itemAt } from '../../at.js';
import { DataTypeCode, type GraphOutput } from '../c-api.js';
import {
  addConstant,
  addInt32s,
  addOp,
  addOutput,
  describeOutput,
  type Graph,
  imageShape,
  typeAttribute,
  volumeShape,
} from '../graph.js';
import { attribute, type OpAttribute } from '../native-backend.js';
import { isInference } from '../step-mode.js';

/** Neighbouring planes of one item of a batch. */
export interface Planes {
  readonly item: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Planes of a volume [B, D, H, W, C] as images [count, H, W, C], once `after` is there.
 * @param type of the volume: float32 or bfloat16
 */
export function addPlanes(
  graph: Graph,
  volume: GraphOutput,
  { item, first, count }: Planes,
  type: number,
  after?: GraphOutput,
): GraphOutput {
  const [batch, depth, ...plane] = volumeShape(graph, volume);
  return addImageRange(
    graph,
    addReshape(graph, volume, [batch * depth, ...plane], type),
    item * depth + first,
    count,
    type,
    after,
  );
}

/**
 * `count` images of [N, H, W, C] from `first` on, once `after` is there: a range of the slowest axis, which
 * TensorFlow slices without a copy.
 */
export function addImageRange(
  graph: Graph,
  images: GraphOutput,
  first: number,
  count: number,
  type: number,
  after?: GraphOutput,
): GraphOutput {
  const [all, ...plane] = imageShape(graph, images);
  if (count === all && !after) return images;
  const range = [addInt32s(graph, [first, 0, 0, 0]), addInt32s(graph, [count, ...plane])];
  const attributes = [typeAttribute('T', type), typeAttribute('Index', DataTypeCode.int32)];
  return { oper: addOp(graph, 'Slice', [images, ...range], attributes, after ? [after.oper] : []), index: 0 };
}

/** One behind the other along the first axis; the same output where there is but one. */
export function addConcatenation(
  graph: Graph,
  parts: readonly GraphOutput[],
  type: number,
  axis = 0,
): GraphOutput {
  if (parts.length === 1) return itemAt(parts, 0);
  const attributes = [
    typeAttribute('T', type),
    attribute.int('N', parts.length),
    typeAttribute('Tidx', DataTypeCode.int32),
  ];
  return addOutput(
    graph,
    'ConcatV2',
    [...parts, addConstant(graph, DataTypeCode.int32, [], Int32Array.of(axis))],
    attributes,
  );
}

/**
 * The images of several steps as one [N, H, W, C], each written to its place as soon as it is there: a
 * concatenation needs all of them beside the whole, but takes half the time.
 * @param images    of the whole, N
 * @param addImages adds the ops that make the images of one step, which come behind those of the steps
 *   before; `earlier` is there when they are
 */
export function addAssembly(
  graph: Graph,
  images: number,
  steps: number,
  type: number,
  addImages: (step: number, earlier: GraphOutput | undefined) => GraphOutput,
): GraphOutput {
  const first = addImages(0, undefined);
  if (steps === 1) return first;
  if (isInference()) {
    const parts = [first];
    while (parts.length < steps) parts.push(addImages(parts.length, parts.at(-1)));
    return addConcatenation(graph, parts, type);
  }
  let [written = 0, ...plane] = describeOutput(graph, first).shape;
  const shape = [addInt32s(graph, [images, ...plane])];
  const empty = addOp(
    graph,
    'Empty',
    shape,
    [typeAttribute('dtype', type), attribute.bool('init', false)],
    [first.oper],
  );
  let whole = addUpdate(graph, { oper: empty, index: 0 }, 0, first, type);
  for (let step = 1; step < steps; step++) {
    const part = addImages(step, whole);
    whole = addUpdate(graph, whole, written, part, type);
    written += imageShape(graph, part)[0];
  }
  return whole;
}

/** The images with those from `first` on overwritten, in place. */
function addUpdate(
  graph: Graph,
  images: GraphOutput,
  first: number,
  part: GraphOutput,
  type: number,
): GraphOutput {
  const [count = 0] = describeOutput(graph, part).shape;
  const rows = addInt32s(
    graph,
    Array.from({ length: count }, (_, i) => first + i),
  );
  return addOutput(graph, 'InplaceUpdate', [images, rows, part], [typeAttribute('T', type)]);
}

/** The same values in another shape. */
export function addReshape(
  graph: Graph,
  x: GraphOutput,
  shape: readonly number[],
  type: number,
): GraphOutput {
  return addOutput(
    graph,
    'Reshape',
    [x, addInt32s(graph, shape)],
    [typeAttribute('T', type), typeAttribute('Tshape', DataTypeCode.int32)],
  );
}

/** Of the convolution kernels for images, at stride 1 with zeros beyond the borders. */
export function imageAttributes(type: number): OpAttribute[] {
  return [
    typeAttribute('T', type),
    attribute.int('strides', [1, 1, 1, 1]),
    attribute.string('padding', 'SAME'),
    attribute.string('data_format', 'NHWC'),
    attribute.int('dilations', [1, 1, 1, 1]),
  ];
}
