import type { TensorInfo } from '@tensorflow/tfjs-node-gpu';
import { itemAt } from '../at.js';
import { WorkError } from '../errors.js';
import { bfloat16Writer } from './bfloat16.js';
import { DataTypeCode, type GraphOutput } from './c-api.js';
import { addConvolution } from './convolution/convolution-routes.js';
import { target } from './devices.js';
import { gpuWriter } from './gpu-writer.js';
import { addConstant, addOp, describeOutput, type Graph } from './graph.js';
import { multiplyAdds } from './multiply-adds.js';
import { currentScope } from './name-scope.js';
import {
  type NativeBinding,
  nativeBackend,
  type OpAttribute,
  type OutputMetadata,
} from './native-backend.js';
import tf, { type Tensor } from './tf.js';
import { addAfter, addEuclideanLength, addNegativeZero, afterOp, negativeZeroOp } from './trace-ops.js';

export const precisions = ['float32', 'bfloat16'] as const;
export type Precision = (typeof precisions)[number];

/**
 * How a trace writes ops: in a precision, by the fastest route of this machine, or `portable`: in float32,
 * each as it is called.
 */
export type Writing = Precision | 'portable';

/** A running trace: tfjs ops called inside it become nodes of the graph. */
export interface Trace {
  /** A tfjs tensor that stands for an output of the graph. */
  tensorFor(output: GraphOutput): Tensor;
  /** The output of the graph that a traced tfjs tensor stands for. */
  outputOf(tensor: TensorInfo): GraphOutput;
  /** Of all products so far that another op or `outputOf` took. */
  multiplyAdds(): number;
}

let running = 0;

/** Whether ops called now become nodes of a graph; false where they run at once. */
export const isTracing = (): boolean => running > 0;

// Below every id of a real tensor: tfjs-node frees only ids from 0 up, so a traced tensor that outlives its
// trace harms nobody.
let nextId = -1_000_000;

/**
 * Runs `body` with a stand-in for tfjs-node's native binding that writes each op into `graph` instead of
 * running it.
 * @throws WorkError when the body reads a value or uses a tensor that was computed outside the trace
 */
export function traceInto<T>(graph: Graph, writing: Writing, body: (trace: Trace) => T): T {
  const backend = nativeBackend();
  const realBinding = backend.binding;
  const outputs = new Map<number, GraphOutput>();
  const constants = new Map<object, number>();
  const products = new Map<number, number>(); // multiply-adds by the id of their output
  const taken = new Set<number>();

  // What leaves this machine is written for any.
  const onGpu = writing !== 'portable' && target().kind === 'gpu' ? gpuWriter(graph) : undefined;
  const constantOf = onGpu?.constant ?? ((...constant) => addConstant(graph, ...constant));

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
      const { id } = register(constantOf(entry.dtype, entry.shape, entry.values));
      constants.set(tensor.dataId, id);
      return id;
    }
    if (outputs.has(entry.id)) return entry.id;
    const what = `a tensor of shape [${tensor.shape}] that was computed outside the compiled step is used inside it`;
    throw new WorkError(`in ${currentScope() || 'the step'}: ${what}; pass it as an input or as state`);
  };
  const outputById = (id: number): GraphOutput => {
    const output = outputs.get(id);
    if (!output)
      throw new WorkError(`in ${currentScope() || 'the step'}: tensor ${id} does not belong to this trace`);
    return output;
  };
  const refuseRead = () => {
    const what =
      'the value of a traced tensor was read; a compiled step runs later, so return the tensor instead';
    throw new WorkError(`in ${currentScope() || 'the step'}: ${what}`);
  };
  const bfloat16 = writing === 'bfloat16' ? bfloat16Writer(graph) : undefined;
  const execute = (
    name: string,
    attributes: OpAttribute[],
    ids: number[],
    count: number,
  ): OutputMetadata[] => {
    const inputs = ids.map(outputById);
    for (const id of ids) taken.add(id);
    const added = (
      onGpu?.add(name, attributes, inputs) ??
      bfloat16?.add(name, attributes, inputs, count) ??
      addInFloat32(graph, name, attributes, inputs, count, writing === 'portable')
    ).map(register);
    const [first] = added;
    if (first)
      products.set(
        first.id,
        multiplyAdds(name, () => inputs.map((input) => describeOutput(graph, input).shape), first.shape),
      );
    return added;
  };

  const standIn: Partial<NativeBinding> = {
    createTensor: (shape, dtype, values) => register(constantOf(dtype, shape, values)).id,
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
        return tf
          .engine()
          .makeTensorFromDataId(dataId, shape, dtype === DataTypeCode.int32 ? 'int32' : 'float32');
      },
      outputOf: (tensor) => {
        const id = idOf(tensor);
        taken.add(id);
        return outputById(id);
      },
      multiplyAdds: () => [...products].reduce((sum, [id, count]) => sum + (taken.has(id) ? count : 0), 0),
    });
  } finally {
    running--;
    backend.binding = realBinding;
    Reflect.deleteProperty(backend, 'getInputTensorIds'); // the prototype's own method shows again
  }
}

/**
 * The real binding with some functions replaced; its own properties cannot be assigned, hence property
 * definitions.
 */
function standInFor(real: NativeBinding, replaced: Partial<NativeBinding>): NativeBinding {
  const properties = Object.entries(replaced).map(([name, value]) => [name, { value }] as const);
  return Object.create(real, Object.fromEntries(properties));
}

function addInFloat32(
  graph: Graph,
  name: string,
  attributes: OpAttribute[],
  inputs: readonly GraphOutput[],
  count: number,
  isPortable: boolean,
): GraphOutput[] {
  if (name === afterOp) return [addAfter(graph, inputs, attributes)];
  if (name === negativeZeroOp) return [addNegativeZero(graph, itemAt(inputs, 0), DataTypeCode.float32)];
  if (isPortable && name === 'EuclideanNorm') return [addEuclideanLength(graph, inputs, attributes)];
  const convolution = isPortable ? undefined : addConvolution(graph, name, inputs, attributes);
  if (convolution) return [convolution];
  const oper = addOp(graph, name, inputs, attributes);
  return Array.from({ length: count }, (_, index) => ({ oper, index }));
}
