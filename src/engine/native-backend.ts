import type { DataId, Tensor, TensorInfo } from '@tensorflow/tfjs-node-gpu';
import { DataTypeCode } from './c-api.js';
import tf from './tf.js';

/** What tfjs-node's native backend keeps for a tensor: a handle, or host values not yet uploaded. */
export interface TensorEntry {
  shape: number[];
  dtype: number;
  id: number;
  values: ArrayLike<number> | null | undefined;
  refCount: number;
}

export interface OutputMetadata {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The surface between tfjs-node's kernels and TensorFlow; tracing stands in for it. */
export interface NativeBinding {
  createTensor(shape: number[], dtype: number, values: ArrayLike<number>): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  executeOp(name: string, attributes: OpAttribute[], inputIds: number[], outputs: number): OutputMetadata[];
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

/** The parts of tfjs-node's backend that its own types keep private. */
export interface NativeBackend {
  binding: NativeBinding;
  readonly tensorMap: {
    get(id: DataId): TensorEntry;
    set(id: DataId, entry: TensorEntry): void;
    has(id: DataId): boolean;
  };
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  executeSingleOutput<T extends Tensor>(
    name: string,
    attributes: OpAttribute[],
    inputs: readonly TensorInfo[],
  ): T;
  executeMultipleOutputs(
    name: string,
    attributes: OpAttribute[],
    inputs: readonly TensorInfo[],
    outputs: number,
  ): Tensor[];
}

/**
 * tfjs-node's backend; its private members are declared above because tracing and the single-op kernels need
 * them.
 */
export function nativeBackend(): NativeBackend {
  return tf.backend() as unknown as NativeBackend;
}

/**
 * Runs one TensorFlow op outside the gradient tape and returns its first output; `T` is what the op gives for
 * such inputs.
 */
export function runOp<T extends Tensor>(
  name: string,
  attributes: OpAttribute[],
  inputs: readonly TensorInfo[],
): T {
  return nativeBackend().executeSingleOutput(name, attributes, inputs);
}

/** Runs one TensorFlow op outside the gradient tape and returns all `outputs` outputs. */
export function runOpWithOutputs(
  name: string,
  attributes: OpAttribute[],
  inputs: readonly TensorInfo[],
  outputs: number,
): Tensor[] {
  return nativeBackend().executeMultipleOutputs(name, attributes, inputs, outputs);
}

/** Makers of op attributes, named after the kinds of TensorFlow's `AttrValue`. */
export const attribute = {
  type: (name: string, type: keyof typeof DataTypeCode): OpAttribute => ({
    name,
    type: nativeBackend().binding.TF_ATTR_TYPE,
    value: DataTypeCode[type],
  }),
  int: (name: string, value: number | number[]): OpAttribute => ({
    name,
    type: nativeBackend().binding.TF_ATTR_INT,
    value,
  }),
  float: (name: string, value: number): OpAttribute => ({
    name,
    type: nativeBackend().binding.TF_ATTR_FLOAT,
    value,
  }),
  bool: (name: string, value: boolean): OpAttribute => ({
    name,
    type: nativeBackend().binding.TF_ATTR_BOOL,
    value,
  }),
  string: (name: string, value: string): OpAttribute => ({
    name,
    type: nativeBackend().binding.TF_ATTR_STRING,
    value,
  }),
};

/** The `T: float32` attribute that most kernels take. */
export const float32Attribute = (): OpAttribute => attribute.type('T', 'float32');
