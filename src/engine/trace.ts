import type { TensorInfo } from '@tensorflow/tfjs-node-gpu';
import { WorkError } from '../errors.js';
import { DataTypeCode, type GraphOutput } from './c-api.js';
import { devices } from './devices.js';
import { addFilterGradient, filterGradientOp } from './filter-gradient.js';
import { addConstant, addOp, addOutput, describeOutput, type Graph, typeAttribute } from './graph.js';
import { multiplyAddsOf } from './multiply-adds.js';
import { type NativeBinding, nativeBackend, type OpAttribute, type OutputMetadata } from './native-backend.js';
import { currentPlace } from './place.js';
import tf, { type Tensor } from './tf.js';

export type Precision = 'float32' | 'bfloat16';

/** A running trace: tfjs ops called inside it become nodes of the graph. */
export interface Trace {
  /** A tfjs tensor that stands for an output of the graph. */
  tensorFor(output: GraphOutput): Tensor;
  /** The output of the graph that a traced tfjs tensor stands for. */
  outputOf(tensor: TensorInfo): GraphOutput;
  /** Multiply-adds of the convolutions and matrix products so far, in a float32 trace of a forward pass. */
  multiplyAdds(): number;
}

/** Inputs of the convolution and product kernels that are cast in bfloat16 mode; the other inputs are sizes. */
const bfloat16Inputs: Readonly<Record<string, readonly number[]>> = {
  Conv3D: [0, 1],
  Conv3DBackpropInputV2: [1, 2],
  Conv3DBackpropFilterV2: [0, 2],
  BatchMatMulV2: [0, 1],
  BatchMatMul: [0, 1],
  MatMul: [0, 1],
};

let running = 0;

/** An op of the trace itself: its first input, made to wait for its second. */
export const afterOp = 'After';

/** Whether ops called now become nodes of a graph; false where they run at once. */
export const isTracing = (): boolean => running > 0;

// Below every id of a real tensor: tfjs-node frees only ids from 0 up, so a traced tensor that outlives its trace harms nobody.
let nextId = -1_000_000;

/**
 * Runs `body` with a stand-in for tfjs-node's native binding that writes each op into `graph` instead of running it.
 * @throws WorkError when the body reads a value or uses a tensor that was computed outside the trace
 */
export function traceInto<T>(graph: Graph, precision: Precision, body: (trace: Trace) => T): T {
  const backend = nativeBackend();
  const realBinding = backend.binding;
  const outputs = new Map<number, GraphOutput>();
  const constants = new Map<object, number>();

  let multiplyAdds = 0;

  const register = (output: GraphOutput): OutputMetadata => {
    const id = nextId--;
    outputs.set(id, output);
    return { id, ...describeOutput(graph, output) };
  };
  const idOf = (tensor: TensorInfo): number => {
    const entry = backend.tensorMap.get(tensor.dataId);
    if (entry.values !== null && entry.values !== undefined) {
      const known = constants.get(tensor.dataId);
      if (known !== undefined) return known;
      const { id } = register(addConstant(graph, entry.dtype, entry.shape, entry.values));
      constants.set(tensor.dataId, id);
      return id;
    }
    if (outputs.has(entry.id)) return entry.id;
    throw new WorkError(
      `in ${currentPlace() || 'the step'}: a tensor of shape [${tensor.shape}] that was computed outside the compiled step is used inside it; pass it as an input or as state`,
    );
  };
  const outputById = (id: number): GraphOutput => {
    const output = outputs.get(id);
    if (!output) throw new WorkError(`in ${currentPlace() || 'the step'}: tensor ${id} does not belong to this trace`);
    return output;
  };
  const refuseRead = () => {
    throw new WorkError(
      `in ${currentPlace() || 'the step'}: the value of a traced tensor was read; a compiled step runs later, so return the tensor instead`,
    );
  };
  /** Outputs that are nothing but bfloat16 values widened, by the values. */
  const widened = new Map<GraphOutput, GraphOutput>();
  const execute = (name: string, attributes: OpAttribute[], ids: number[], count: number): OutputMetadata[] => {
    const inputs = ids.map(outputById);
    if (name === afterOp) {
      const [value, earlier] = inputs as [GraphOutput, GraphOutput];
      return [register({ oper: addOp(graph, 'Identity', [value], attributes, [earlier.oper]), index: 0 })];
    }
    const castInputs = precision === 'bfloat16' ? bfloat16Inputs[name] : undefined;
    if (castInputs) {
      const { result, narrow } = addInBfloat16(graph, name, attributes, inputs, castInputs);
      if (narrow) widened.set(result, narrow);
      return [register(result)];
    }
    if (name === 'FusedBatchNormGradV3') inputs[1] = widenedAgain(graph, inputs[1] as GraphOutput, widened, inputs[0] as GraphOutput);
    if (name === filterGradientOp) return [register(addFilterGradient(graph, inputs, attributes))];
    const oper = addOp(graph, name, inputs, attributes);
    multiplyAdds += multiplyAddsOf(graph, name, attributes, inputs, { oper, index: 0 });
    const source = name === 'Reshape' ? widened.get(inputs[0] as GraphOutput) : undefined;
    if (source) {
      const result = { oper, index: 0 };
      widened.set(result, source);
      return [register(result)];
    }
    return Array.from({ length: count }, (_, index) => register({ oper, index }));
  };

  const standIn: Partial<NativeBinding> = {
    createTensor: (shape, dtype, values) => register(addConstant(graph, dtype, shape, values)).id,
    executeOp: execute,
    deleteTensor: () => {},
    tensorDataSync: refuseRead,
  };
  backend.binding = standInFor(realBinding, standIn);
  backend.getInputTensorIds = (tensors) => tensors.map(idOf);
  running++;
  try {
    return body({
      tensorFor: (output) => {
        const { id, shape, dtype } = register(output);
        const dataId = {};
        backend.tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
        return tf.engine().makeTensorFromDataId(dataId, shape, dtype === DataTypeCode.int32 ? 'int32' : 'float32');
      },
      outputOf: (tensor) => outputById(idOf(tensor)),
      multiplyAdds: () => multiplyAdds,
    });
  } finally {
    running--;
    backend.binding = realBinding;
    Reflect.deleteProperty(backend, 'getInputTensorIds'); // the prototype's own method shows again
  }
}

/** The real binding with some functions replaced; its own properties cannot be assigned, hence property definitions. */
function standInFor(real: NativeBinding, replaced: Partial<NativeBinding>): NativeBinding {
  const properties = Object.entries(replaced).map(([name, value]) => [name, { value }] as const);
  return Object.create(real, Object.fromEntries(properties)) as NativeBinding;
}

/**
 * The op with its large inputs (and, in hardware that multiplies bfloat16, its output) in bfloat16; the surrounding graph
 * stays float32. Elsewhere the same operands are rounded to bfloat16 and multiplied in float32: the same arithmetic that
 * bfloat16 units do, which accumulate in float32, without their speed.
 */
function addInBfloat16(
  graph: Graph,
  name: string,
  attributes: OpAttribute[],
  inputs: GraphOutput[],
  cast: readonly number[],
): { readonly result: GraphOutput; readonly narrow?: GraphOutput } {
  const earlier = name.includes('Backprop') ? inputs.at(-1) : undefined; // activations are rounded when their gradient is there, not kept rounded until then
  const narrowed = inputs.map((input, i) => (cast.includes(i) ? addCast(graph, input, DataTypeCode.float32, DataTypeCode.bfloat16, earlier) : input));
  if (devices().bfloat16 === 'rounded' || isBeyondNativeKernels(graph, name, attributes, inputs)) {
    const rounded = narrowed.map((input, i) => (cast.includes(i) ? addCast(graph, input, DataTypeCode.bfloat16, DataTypeCode.float32) : input));
    return { result: name === filterGradientOp ? addFilterGradient(graph, rounded, attributes) : addOutput(graph, name, rounded, attributes) };
  }
  const typed = attributes.map((a) => (a.name === 'T' ? typeAttribute('T', DataTypeCode.bfloat16) : a));
  const narrow = addOutput(graph, name, narrowed, typed);
  return { result: addCast(graph, narrow, DataTypeCode.bfloat16, DataTypeCode.float32), narrow };
}

/**
 * A norm's gradient needs the convolution's output again. In bfloat16 that output is kept as it came, half the size, and widened again when
 * the gradient is there: the same values.
 */
function widenedAgain(graph: Graph, x: GraphOutput, widened: ReadonlyMap<GraphOutput, GraphOutput>, gradient: GraphOutput): GraphOutput {
  const narrow = widened.get(x);
  if (!narrow) return x;
  const wide = addCast(graph, narrow, DataTypeCode.bfloat16, DataTypeCode.float32, gradient);
  const { shape } = describeOutput(graph, x);
  const size = addConstant(graph, DataTypeCode.int32, [shape.length], Int32Array.from(shape));
  return addOutput(graph, 'Reshape', [wide, size], [typeAttribute('T', DataTypeCode.float32), typeAttribute('Tshape', DataTypeCode.int32)]);
}

/**
 * oneDNN's bfloat16 kernel for filter gradients writes beyond its memory, and gives other numbers each time, where the filter is deeper
 * than the image: the bottleneck of a small crop.
 */
function isBeyondNativeKernels(graph: Graph, name: string, attributes: OpAttribute[], inputs: readonly GraphOutput[]): boolean {
  if (name !== filterGradientOp || devices().kind !== 'cpu') return false;
  const [, imageDepth = 0] = describeOutput(graph, inputs[0] as GraphOutput).shape;
  const [filterDepth = 0] = describeOutput(graph, addOutput(graph, name, inputs, attributes)).shape; // pruned: nothing uses it
  return filterDepth > imageDepth;
}

function addCast(graph: Graph, input: GraphOutput, from: number, to: number, earlier?: GraphOutput): GraphOutput {
  const waitsFor = earlier ? [earlier.oper] : [];
  return { oper: addOp(graph, 'Cast', [input], [typeAttribute('SrcT', from), typeAttribute('DstT', to)], waitsFor), index: 0 };
}
