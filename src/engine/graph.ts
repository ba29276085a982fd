import { ShapeError, WorkError } from '../errors.js';
import {
  api,
  checked,
  DataTypeCode,
  type GraphOutput,
  hasKernel,
  type Pointer,
  tensorAddress,
  tensorBytes,
} from './c-api.js';
import { currentScope } from './name-scope.js';
import { nativeBackend, type OpAttribute } from './native-backend.js';

/** Host values in the element types that a graph takes in and gives out. */
export type HostArray = Float32Array | Int32Array | Uint8Array | BigInt64Array;

/** An attribute as tfjs gives it, or a constant's tensor. */
export type GraphAttribute =
  | OpAttribute
  | { readonly name: string; readonly tensor: Pointer }
  | { readonly name: string; readonly shape: readonly number[] };

/** A `TF_Graph` being written. */
export interface Graph {
  readonly handle: Pointer;
  /** Where its nodes must run, such as `GPU:0`; absent: where TensorFlow puts them. */
  readonly device?: DeviceName | undefined;
  /** The process among several in which they run, by TensorFlow's name; absent: this one, which is alone. */
  readonly task?: string | undefined;
  nodes: number;
}

/** TensorFlow's name of a device on this machine. */
export type DeviceName = `${'CPU' | 'GPU'}:${number}`;

const kernelKnown = new Set<string>();

/** A new graph without nodes; whoever makes it deletes its handle. */
export function createGraph(device?: DeviceName, task?: string): Graph {
  return { handle: api.newGraph(), device, task, nodes: 0 };
}

/**
 * Adds one op to the graph and returns it; it runs `after` those operations. Its node is named after the
 * place in the network.
 * @throws ShapeError when TensorFlow's shape inference refuses the inputs; WorkError when no kernel exists.
 */
export function addOp(
  graph: Graph,
  type: string,
  inputs: readonly GraphOutput[],
  attributes: readonly GraphAttribute[] = [],
  after: readonly Pointer[] = [],
): Pointer {
  const place = currentScope();
  requireKernel(type, place, graph.device);
  const name = `${place ? `${place.replace(/[^A-Za-z0-9_.-]/g, '_')}/` : 'step/'}${type}_${graph.nodes++}`;
  const description = api.newOperation(graph.handle, type, name);
  if (graph.device || graph.task)
    api.setDevice(description, `${graph.task ?? ''}/device:${graph.device ?? 'CPU:0'}`);
  const listLength = attributes.find((a) => a.name === 'N');
  const inList = listLength && 'value' in listLength ? Number(listLength.value) : 0;
  if (inList > 0) api.addInputList(description, inputs.slice(0, inList), inList);
  for (const input of inputs.slice(inList)) api.addInput(description, input);
  if (type === 'CollectiveReduceV2') api.addInputList(description, [], 0); // its tokens of order, of which there are none
  for (const operation of after) api.addControlInput(description, operation);
  for (const attribute of attributes) setAttribute(description, type, attribute);
  try {
    return checked(type, (status) => api.finishOperation(description, status));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ShapeError(`in ${place || 'the step'}: ${reason}`, { field: place }, { cause: error });
  }
}

/** Adds an op with one output that matters. */
export function addOutput(
  graph: Graph,
  type: string,
  inputs: readonly GraphOutput[],
  attributes: readonly GraphAttribute[] = [],
): GraphOutput {
  return { oper: addOp(graph, type, inputs, attributes), index: 0 };
}

/** Adds a placeholder that is fed at each run. */
export function addPlaceholder(graph: Graph, dtype: number, shape: readonly number[]): GraphOutput {
  return addOutput(graph, 'Placeholder', [], [typeAttribute('dtype', dtype), { name: 'shape', shape }]);
}

/** Adds a constant with host values. */
export function addConstant(
  graph: Graph,
  dtype: number,
  shape: readonly number[],
  values: ArrayLike<number>,
): GraphOutput {
  const tensor = createTensor(shape, dtype, toHostArray(values, dtype));
  try {
    return addOutput(graph, 'Const', [], [typeAttribute('dtype', dtype), { name: 'value', tensor }]);
  } finally {
    api.deleteTensor(tensor); // the node holds its own copy
  }
}

/** Adds a vector of whole numbers, such as a size. */
export function addInt32s(graph: Graph, values: readonly number[]): GraphOutput {
  return addConstant(graph, DataTypeCode.int32, [values.length], Int32Array.from(values));
}

/** The inferred shape (unknown rank: empty) and the type code of an output. */
export function describeOutput(graph: Graph, output: GraphOutput): { shape: number[]; dtype: number } {
  const rank = checked('rank', (status) => api.outputRank(graph.handle, output, status));
  const shape: (number | bigint)[] = new Array(Math.max(rank, 0)).fill(0);
  if (rank > 0) checked('shape', (status) => api.outputShape(graph.handle, output, shape, rank, status));
  return { shape: shape.map(Number), dtype: api.outputType(output) };
}

/** A volume's [B, D, H, W, C], or a filter's [k, k, k, in, out]. */
export type VolumeShape = readonly [number, number, number, number, number];

/** The shape of a volume or a filter. Throws ShapeError where an output has not five axes. */
export function volumeShape(graph: Graph, output: GraphOutput): VolumeShape {
  const { shape } = describeOutput(graph, output);
  if (isVolumeShape(shape)) return shape;
  throw new ShapeError(`a volume of five axes is expected, but the shape is [${shape}]`, { found: shape });
}

const isVolumeShape = (shape: readonly number[]): shape is VolumeShape => shape.length === 5;

/** Images' [N, H, W, C]. */
export type ImageShape = readonly [number, number, number, number];

/** The shape of images. Throws ShapeError where an output has not four axes. */
export function imageShape(graph: Graph, output: GraphOutput): ImageShape {
  const { shape } = describeOutput(graph, output);
  if (isImageShape(shape)) return shape;
  throw new ShapeError(`images of four axes are expected, but the shape is [${shape}]`, { found: shape });
}

const isImageShape = (shape: readonly number[]): shape is ImageShape => shape.length === 4;

/** A type attribute by TensorFlow's number. */
export function typeAttribute(name: string, dtype: number): OpAttribute {
  return { name, type: nativeBackend().binding.TF_ATTR_TYPE, value: dtype };
}

/** A string attribute. */
export function stringAttribute(name: string, value: string): OpAttribute {
  return { name, type: nativeBackend().binding.TF_ATTR_STRING, value };
}

/** A new TensorFlow tensor holding a copy of the values; the caller deletes it. */
export function createTensor(shape: readonly number[], dtype: number, values: HostArray): Pointer {
  const elements = shape.reduce((product, n) => product * n, 1);
  if (elements !== values.length)
    throw new ShapeError(`expected ${elements} values for shape [${shape}], got ${values.length}`);
  const tensor = api.allocateTensor(dtype, shape.length ? shape : [0], shape.length, values.byteLength);
  if (!tensor)
    throw new WorkError(
      `TensorFlow could not allocate ${values.byteLength} bytes for a tensor of shape [${shape}]`,
    );
  tensorBytes(tensor).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return tensor;
}

/** The values of a TensorFlow tensor, copied out. */
export function readTensor(tensor: Pointer, dtype: number): Float32Array | Int32Array {
  const bytes = tensorBytes(tensor).slice();
  if (dtype === DataTypeCode.float32) return new Float32Array(bytes.buffer);
  if (dtype === DataTypeCode.int32) return new Int32Array(bytes.buffer);
  if (dtype === DataTypeCode.bool) return Int32Array.from(bytes);
  throw new WorkError(
    `an output of TensorFlow type ${dtype} cannot be read: return float32, int32 or bool from a step`,
  );
}

/**
 * Looks at float32 tensors of one size where they lie: what it returns is valid until the tensor is deleted.
 * TensorFlow often puts a tensor where the last one lay, and then the same view serves: JavaScript counts
 * each new one as memory taken, and looks through its heap for what to free.
 */
export function floatViewer(): (tensor: Pointer) => Float32Array {
  let last: { readonly address: bigint; readonly values: Float32Array } | undefined;
  return (tensor) => {
    const address = tensorAddress(tensor);
    if (last?.address !== address) {
      const bytes = tensorBytes(tensor);
      last = { address, values: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) };
    }
    return last.values;
  };
}

function toHostArray(values: ArrayLike<number>, dtype: number): HostArray {
  if (dtype === DataTypeCode.float32)
    return values instanceof Float32Array ? values : Float32Array.from(values);
  // As bits.
  if (dtype === DataTypeCode.int32 || dtype === DataTypeCode.uint32)
    return values instanceof Int32Array ? values : Int32Array.from(values);
  if (dtype === DataTypeCode.bool) return Uint8Array.from(values);
  throw new WorkError(`a constant of TensorFlow type ${dtype} cannot be traced`);
}

function requireKernel(type: string, place: string, device: DeviceName = 'CPU:0'): void {
  const kind = device.startsWith('GPU') ? 'GPU' : 'CPU';
  const key = `${type} ${kind}`;
  if (kernelKnown.has(key)) return;
  if (!hasKernel(type, [kind, 'DEFAULT']))
    throw new WorkError(
      `in ${place || 'the step'}: this TensorFlow has no kernel for the op ${type} on a ${kind}`,
      {
        field: place,
      },
    );
  kernelKnown.add(key);
}

function setAttribute(description: Pointer, opType: string, attribute: GraphAttribute): void {
  if ('tensor' in attribute) {
    checked(opType, (status) => api.setTensor(description, attribute.name, attribute.tensor, status));
    return;
  }
  if ('shape' in attribute) {
    api.setShape(description, attribute.name, attribute.shape, attribute.shape.length);
    return;
  }
  const { name, type, value } = attribute;
  const kinds = nativeBackend().binding;
  if (value === null || value === undefined) return;
  if (type === kinds.TF_ATTR_INT && Array.isArray(value))
    api.setIntList(description, name, value, value.length);
  else if (type === kinds.TF_ATTR_INT) api.setInt(description, name, value);
  else if (type === kinds.TF_ATTR_FLOAT) api.setFloat(description, name, value);
  else if (type === kinds.TF_ATTR_BOOL) api.setBool(description, name, value ? 1 : 0);
  else if (type === kinds.TF_ATTR_TYPE) api.setType(description, name, value);
  else if (type === kinds.TF_ATTR_SHAPE && Array.isArray(value))
    api.setShape(description, name, value, value.length);
  else if (type === kinds.TF_ATTR_STRING) {
    const bytes = Buffer.from(String(value));
    api.setString(description, name, bytes, bytes.length);
  } else
    throw new WorkError(
      `op ${opType}: attribute ${name} has a kind (${type}) that the graph writer does not know`,
    );
}
