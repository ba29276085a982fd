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
import { attribute } from '../native-backend.js';
import { addCast } from '../trace-ops.js';
import {
  addAssembly,
  addConcatenation,
  addImageRange,
  addPlanes,
  addReshape,
  imageAttributes,
  type Planes,
} from './planes.js';
import {
  type Matrix,
  type MinimalFiltering,
  minimalFiltering,
  type StretchMatrices,
  stretchMatrices,
  transpose,
} from './winograd-matrices.js';

// 3x3x3 convolutions of stride 1 in float32 with less than half the multiplications: along depth by
// Winograd's minimal filtering, within a plane by oneDNN's kernels for images. Depth is the slowest axis of a
// volume: its transforms are matrix products over all the rest, and what belongs to one product of a tile
// lies together, as images [tiles, H, W, C]. Volumes go through in slabs of planes, one after the other: the
// transformed copies are a third larger than what they were made from.

const { float32, int32 } = DataTypeCode;

/** Planes of a slab, whole tiles. */
const SLAB = 24;

/** The larger tile takes fewer products, but leaves more of its last one unused in a shallow volume. */
const filteringOf = (depth: number): MinimalFiltering => minimalFiltering(depth >= SLAB ? 6 : 4);

/**
 * `Conv3D`.
 * @param image  [B, D, H, W, in]
 * @param filter [3, 3, 3, in, out]
 * @returns [B, D, H, W, out]
 */
export function addWinogradConvolution(graph: Graph, image: GraphOutput, filter: GraphOutput): GraphOutput {
  const filtering = filteringOf(depthOf(graph, image));
  const filters = productsFilters(
    graph,
    filtering,
    filtersPlanes(graph, filter),
    describeOutput(graph, filter).shape,
  );
  return convolved(graph, filtering, image, (images, p) =>
    addOutput(graph, 'Conv2D', [images, itemAt(filters, p)], imageAttributes(float32)),
  );
}

/**
 * `Conv3DBackpropInputV2`: the convolution of the output's gradient with the filter turned round, along depth
 * here and within a plane by oneDNN.
 * @param filter   [3, 3, 3, in, out]
 * @param gradient [B, D, H, W, out] of the output
 * @returns [B, D, H, W, in]
 */
export function addWinogradInputGradient(
  graph: Graph,
  filter: GraphOutput,
  gradient: GraphOutput,
): GraphOutput {
  const filtering = filteringOf(depthOf(graph, gradient));
  const shape = volumeShape(graph, filter);
  const attributes = [typeAttribute('T', float32), typeAttribute('Tidx', int32)];
  const turned = addOutput(
    graph,
    'ReverseV2',
    [filtersPlanes(graph, filter), addInt32s(graph, [0])],
    attributes,
  );
  const filters = productsFilters(graph, filtering, turned, shape);
  return convolved(graph, filtering, gradient, (images, p) => {
    const size = addInt32s(graph, [...describeOutput(graph, images).shape.slice(0, 3), shape[3]]);
    return addOutput(
      graph,
      'Conv2DBackpropInput',
      [size, itemAt(filters, p), images],
      imageAttributes(float32),
    );
  });
}

/**
 * `Conv3DBackpropFilterV2`. A convolution is linear in its filter, and this is the transpose of that: the
 * gradient goes back through the outputs' transform, each product gives its own filter's gradient, and these
 * go back through the filter's transform.
 * @param image    [B, D, H, W, in]
 * @param gradient [B, D, H, W, out] of the output
 * @returns [3, 3, 3, in, out]
 */
export function addWinogradFilterGradient(
  graph: Graph,
  image: GraphOutput,
  gradient: GraphOutput,
): GraphOutput {
  const [inputs, outputs] = [volumeShape(graph, image)[4], volumeShape(graph, gradient)[4]];
  const filtering = filteringOf(depthOf(graph, image));
  const size = addInt32s(graph, [3, 3, inputs, outputs]);
  const parts: GraphOutput[] = [];
  for (const { written, read, matrices } of slabsOf(graph, filtering, image)) {
    // The image is there much earlier: its transform would be kept until the gradient is.
    const after = parts.at(-1) ?? gradient;
    const x = alongDepth(graph, matrices.ofInput, floatPlanes(graph, image, read, after));
    const dy = alongDepth(graph, transpose(matrices.toOutput), floatPlanes(graph, gradient, written, after));
    const slopes = imagesOfProducts(graph, filtering, dy, matrices);
    const gradients = imagesOfProducts(graph, filtering, x, matrices).map((images, p) =>
      addOutput(graph, 'Conv2DBackpropFilter', [images, size, itemAt(slopes, p)], imageAttributes(float32)),
    );
    parts.push(
      addOutput(graph, 'Pack', gradients, [
        typeAttribute('T', float32),
        attribute.int('N', filtering.products),
        attribute.int('axis', 0),
      ]),
    );
  }
  const sum = parts.reduce((total, part) =>
    addOutput(graph, 'AddV2', [total, part], [typeAttribute('T', float32)]),
  ); // `AddN` has no fixed order
  const rows = addReshape(graph, sum, [filtering.products, 9 * inputs * outputs], float32);
  return addReshape(
    graph,
    multiplied(graph, transpose(filtering.ofFilter), rows),
    [3, 3, 3, inputs, outputs],
    float32,
  );
}

/**
 * What `convolve` makes of the images of each product, brought together to the volume of the outputs, of the
 * type of `volume`.
 */
function convolved(
  graph: Graph,
  filtering: MinimalFiltering,
  volume: GraphOutput,
  convolve: (images: GraphOutput, p: number) => GraphOutput,
): GraphOutput {
  const { dtype } = describeOutput(graph, volume);
  const [batch, depth] = volumeShape(graph, volume);
  const slabs = slabsOf(graph, filtering, volume);
  const images = addAssembly(graph, batch * depth, slabs.length, dtype, (i, earlier) => {
    const { read, matrices } = itemAt(slabs, i);
    const transformed = alongDepth(graph, matrices.ofInput, floatPlanes(graph, volume, read, earlier));
    const products = imagesOfProducts(graph, filtering, transformed, matrices).map(convolve);
    return addCast(
      graph,
      alongDepth(graph, matrices.toOutput, addConcatenation(graph, products, float32)),
      float32,
      dtype,
    );
  });
  return addReshape(graph, images, [batch, depth, ...describeOutput(graph, images).shape.slice(1)], dtype);
}

/** Planes of a volume as `addPlanes` gives them, in float32. */
function floatPlanes(graph: Graph, volume: GraphOutput, planes: Planes, after?: GraphOutput): GraphOutput {
  const { dtype } = describeOutput(graph, volume);
  return addCast(graph, addPlanes(graph, volume, planes, dtype, after), dtype, float32);
}

interface Slab {
  /** Planes of the output. */
  readonly written: Planes;
  /** Planes of the input: those and a neighbour on either side. */
  readonly read: Planes;
  readonly matrices: StretchMatrices;
}

/** Slabs of whole tiles, all but the last. */
function slabsOf(graph: Graph, filtering: MinimalFiltering, volume: GraphOutput): Slab[] {
  const [batch, depth] = volumeShape(graph, volume);
  const slabs: Slab[] = [];
  for (let item = 0; item < batch; item++) {
    for (let first = 0; first < depth; first += SLAB) {
      const written = { item, first, count: Math.min(SLAB, depth - first) };
      const [from, to] = [Math.max(0, first - 1), Math.min(depth, first + written.count + 1)];
      const read = { item, first: from, count: to - from };
      slabs.push({ written, read, matrices: stretchMatrices(filtering, { written, read }) });
    }
  }
  return slabs;
}

/**
 * The images of each of a tile's products, [tiles, H, W, C], of all of a slab's, [products * tiles, H, W, C].
 */
function imagesOfProducts(
  graph: Graph,
  { products }: MinimalFiltering,
  images: GraphOutput,
  { tiles }: StretchMatrices,
): GraphOutput[] {
  return Array.from({ length: products }, (_, p) => addImageRange(graph, images, p * tiles, tiles, float32));
}

const depthOf = (graph: Graph, volume: GraphOutput): number => volumeShape(graph, volume)[1];

/** A filter's planes as rows, [3, 9 * in * out]. */
function filtersPlanes(graph: Graph, filter: GraphOutput): GraphOutput {
  const [planes, ...plane] = volumeShape(graph, filter);
  return addReshape(graph, filter, [planes, plane.reduce((product, n) => product * n, 1)], float32);
}

/** The filter of each product, [3, 3, in, out]. */
function productsFilters(
  graph: Graph,
  { products, ofFilter }: MinimalFiltering,
  planes: GraphOutput,
  [, ...plane]: readonly number[],
): GraphOutput[] {
  const all = addReshape(graph, multiplied(graph, ofFilter, planes), [products, ...plane], float32);
  const attributes = [typeAttribute('T', float32), attribute.int('num', products), attribute.int('axis', 0)];
  const oper = addOp(graph, 'Unpack', [all], attributes);
  return Array.from({ length: products }, (_, index) => ({ oper, index }));
}

/** A matrix by the planes of images: [n, m] by [m, H, W, C] is [n, H, W, C]. */
function alongDepth(graph: Graph, matrix: Matrix, images: GraphOutput): GraphOutput {
  const [planes, ...plane] = imageShape(graph, images);
  const rows = addReshape(graph, images, [planes, plane.reduce((product, n) => product * n, 1)], float32);
  return addReshape(graph, multiplied(graph, matrix, rows), [matrix.length, ...plane], float32);
}

function multiplied(graph: Graph, matrix: Matrix, rows: GraphOutput): GraphOutput {
  const constant = addConstant(
    graph,
    float32,
    [matrix.length, (matrix[0] ?? []).length],
    Float32Array.from(matrix.flat()),
  );
  const attributes = [
    typeAttribute('T', float32),
    attribute.bool('transpose_a', false),
    attribute.bool('transpose_b', false),
  ];
  return addOutput(graph, 'MatMul', [constant, rows], attributes);
}
