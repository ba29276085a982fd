import { DataTypeCode, type GraphOutput } from '../c-api.js';
import {
  addConstant,
  addInt32s,
  addOp,
  addOutput,
  type Graph,
  typeAttribute,
  type VolumeShape,
  volumeShape,
} from '../graph.js';
import { attribute, type OpAttribute } from '../native-backend.js';

/**
 * A convolution's filter gradient takes this route up to this many padded voxels a voxel; beyond, the padding
 * costs more than it gains.
 */
const LARGEST_PADDING = 1.21; // 32^3 voxels and more

/** Planes that are multiplied at a time; more cost memory, fewer repeat more of their borders. */
const SLAB = 16;

/**
 * The filter gradient of a 3x3x3 convolution as nine large matrix products, for CPUs without AVX-512, where
 * oneDNN's own kernel reaches half the rate of its forward pass.
 *
 * With image and output gradient padded to one grid and flattened to [voxels, channels], the gradient of the
 * tap that looks `o` rows ahead is `image[o : o + R]^T gradient[0 : R]`. It is computed as its transpose,
 * from the gradient transposed once for all taps and a row range of the image, which TensorFlow slices
 * without a copy: products of two operands that lie as they are needed are a quarter faster. The three taps
 * along the fastest axis are taken at once by laying three shifted copies of the narrower operand side by
 * side. The volume goes through in slabs of planes.
 * @param image    [B, D, H, W, in]
 * @param gradient [B, D, H, W, out] of the output
 * @returns [3, 3, 3, in, out]
 */
export function addFilterGradientByProducts(
  graph: Graph,
  image: GraphOutput,
  gradient: GraphOutput,
): GraphOutput {
  const ofImage = volumeShape(graph, image);
  const shape = { image: ofImage, inputs: ofImage[4], outputs: volumeShape(graph, gradient)[4] };
  const filterShape = [3, 3, 3, shape.inputs, shape.outputs];
  const [batch, depth] = ofImage;
  const parts: GraphOutput[] = [];
  for (let item = 0; item < batch; item++) {
    for (let from = 0; from < depth; from += SLAB) {
      // One slab at a time, so that its copies are gone before the next one's are made.
      const after = parts.at(-1);
      parts.push(
        slabGradient(graph, image, gradient, shape, { item, from, to: Math.min(depth, from + SLAB) }, after),
      );
    }
  }
  // `AddN` has no fixed order.
  const sum = parts.reduce((total, part) => addOutput(graph, 'AddV2', [total, part], [float32()]));
  const { inputs, outputs } = shape;
  const byTap = reshaped(graph, sum, triplesImage(shape) ? [9, outputs, 3, inputs] : [9, 3, outputs, inputs]);
  return reshaped(
    graph,
    transposed(graph, byTap, triplesImage(shape) ? [0, 2, 3, 1] : [0, 1, 3, 2]),
    filterShape,
  );
}

/** Whether this route is faster than the op itself on a CPU without AVX-512. */
export function gainsByProducts(size: readonly number[], inputs: number, outputs: number): boolean {
  const padding = size.reduce((ratio, n) => (ratio * (n + 2)) / n, 1);
  return (
    padding <= LARGEST_PADDING && Math.min(inputs, outputs) >= 16 && inputs % 16 === 0 && outputs % 16 === 0
  );
}

interface Shapes {
  /** [B, D, H, W, in] */
  readonly image: VolumeShape;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * Whether the image is the operand laid three times side by side: then products are [out, 3 * in], else [3 *
 * out, in].
 */
const triplesImage = ({ inputs, outputs }: Shapes): boolean => inputs <= outputs;

/** Planes of the output gradient, of one item. */
interface Slab {
  readonly item: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The part of the filter gradient that a slab of the output gradient gives: nine products, [9, out, 3 * in]
 * or [9, 3 * out, in].
 */
function slabGradient(
  graph: Graph,
  image: GraphOutput,
  gradient: GraphOutput,
  shapes: Shapes,
  slab: Slab,
  after?: GraphOutput,
): GraphOutput {
  const { inputs, outputs } = shapes;
  const [, depth, height, width] = shapes.image;
  const planes = slab.to - slab.from;
  const [paddedHeight, paddedWidth] = [height + 2, width + 2];
  const rows = (planes + 2) * paddedHeight * paddedWidth;
  const ahead = (kd: number, kh: number) => (kd * paddedHeight + kh) * paddedWidth;
  const used = rows - ahead(2, 2) - 2; // rows from which every tap stays inside

  const first = Math.max(0, slab.from - 1); // the slab and a plane on either side, zeros beyond the volume
  const last = Math.min(depth, slab.to + 1);
  const x = flattened(
    graph,
    planesOf(graph, image, slab.item, first, last, shapes, inputs, after),
    [first - slab.from + 1, slab.to + 1 - last],
    [1, 1],
    rows,
    inputs,
  );
  const dy = flattened(
    graph,
    planesOf(graph, gradient, slab.item, slab.from, slab.to, shapes, outputs, after),
    [0, 2],
    [0, 2],
    rows,
    outputs,
  );
  const isByImage = triplesImage(shapes);
  const image3 = isByImage ? sideBySide(graph, x, [0, 1, 2], rows - 2, inputs) : x;
  // Looking ahead in the image is looking back in the gradient: tap kw pairs image row q with row q - kw of
  // the gradient.
  const gradientRows = transposed(
    graph,
    isByImage ? rowRange(graph, dy, 0, used, outputs) : zeroRowsBefore(graph, dy),
    [1, 0],
  );
  const gradient3 = isByImage ? gradientRows : onTop(graph, gradientRows, [2, 1, 0], used + 2, outputs);
  const [count, channels] = isByImage ? [used, 3 * inputs] : [used + 2, inputs];
  const attributes = [float32(), attribute.bool('transpose_a', false), attribute.bool('transpose_b', false)];
  const products = [0, 1, 2].flatMap((kd) =>
    [0, 1, 2].map((kh) =>
      addOutput(
        graph,
        'MatMul',
        [gradient3, rowRange(graph, image3, ahead(kd, kh), count, channels)],
        attributes,
      ),
    ),
  );
  return addOutput(graph, 'Pack', products, [float32(), attribute.int('N', 9), attribute.int('axis', 0)]);
}

/** Planes `from` to `to` of one item, [1, D', H, W, C], once `after` is there. */
function planesOf(
  graph: Graph,
  x: GraphOutput,
  item: number,
  from: number,
  to: number,
  { image: [, , height, width] }: Shapes,
  channels: number,
  after?: GraphOutput,
): GraphOutput {
  const begin = addInt32s(graph, [item, from, 0, 0, 0]);
  const size = addInt32s(graph, [1, to - from, height, width, channels]);
  const attributes = [float32(), typeAttribute('Index', DataTypeCode.int32)];
  return { oper: addOp(graph, 'Slice', [x, begin, size], attributes, after ? [after.oper] : []), index: 0 };
}

/** [1, D, H, W, C] padded with zeros on depth, and on height and width, as [rows, C]. */
function flattened(
  graph: Graph,
  x: GraphOutput,
  depth: readonly [number, number],
  plane: readonly [number, number],
  rows: number,
  channels: number,
): GraphOutput {
  const paddings = addConstant(
    graph,
    DataTypeCode.int32,
    [5, 2],
    Int32Array.of(0, 0, ...depth, ...plane, ...plane, 0, 0),
  );
  const padded = addOutput(
    graph,
    'Pad',
    [x, paddings],
    [float32(), typeAttribute('Tpaddings', DataTypeCode.int32)],
  );
  return reshaped(graph, padded, [rows, channels]);
}

/**
 * Row ranges of `count` rows from `shifts` on, joined along the channels: [count, shifts.length * channels].
 */
function sideBySide(
  graph: Graph,
  x: GraphOutput,
  shifts: readonly number[],
  count: number,
  channels: number,
): GraphOutput {
  const ranges = shifts.map((shift) => rowRange(graph, x, shift, count, channels));
  return joined(graph, ranges, 1);
}

/**
 * Column ranges of `count` columns from `shifts` on of [channels, columns], one under the other:
 * [shifts.length * channels, count].
 */
function onTop(
  graph: Graph,
  x: GraphOutput,
  shifts: readonly number[],
  count: number,
  channels: number,
): GraphOutput {
  const ranges = shifts.map((shift) => range(graph, x, [0, shift], [channels, count]));
  return joined(graph, ranges, 0);
}

function joined(graph: Graph, parts: readonly GraphOutput[], axis: number): GraphOutput {
  const attributes = [float32(), attribute.int('N', parts.length), typeAttribute('Tidx', DataTypeCode.int32)];
  return addOutput(
    graph,
    'ConcatV2',
    [...parts, addConstant(graph, DataTypeCode.int32, [], Int32Array.of(axis))],
    attributes,
  );
}

/** `x` with two rows of zeros before its first. */
function zeroRowsBefore(graph: Graph, x: GraphOutput): GraphOutput {
  const paddings = addConstant(graph, DataTypeCode.int32, [2, 2], Int32Array.of(2, 0, 0, 0));
  return addOutput(graph, 'Pad', [x, paddings], [float32(), typeAttribute('Tpaddings', DataTypeCode.int32)]);
}

function rowRange(graph: Graph, x: GraphOutput, begin: number, count: number, channels: number): GraphOutput {
  return range(graph, x, [begin, 0], [count, channels]);
}

function range(
  graph: Graph,
  x: GraphOutput,
  begin: readonly [number, number],
  size: readonly [number, number],
): GraphOutput {
  const attributes = [float32(), typeAttribute('Index', DataTypeCode.int32)];
  return addOutput(graph, 'Slice', [x, addInt32s(graph, begin), addInt32s(graph, size)], attributes);
}

function transposed(graph: Graph, x: GraphOutput, order: readonly number[]): GraphOutput {
  return addOutput(
    graph,
    'Transpose',
    [x, addInt32s(graph, order)],
    [float32(), typeAttribute('Tperm', DataTypeCode.int32)],
  );
}

function reshaped(graph: Graph, x: GraphOutput, shape: readonly number[]): GraphOutput {
  return addOutput(
    graph,
    'Reshape',
    [x, addInt32s(graph, shape)],
    [float32(), typeAttribute('Tshape', DataTypeCode.int32)],
  );
}

const float32 = (): OpAttribute => typeAttribute('T', DataTypeCode.float32);
