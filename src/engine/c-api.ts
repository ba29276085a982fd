import './environment.js';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { WorkError } from '../errors.js';
import { messageField } from './protobuf.js';
import { findRuntimeLibrary } from './runtime-files.js';

/** An opaque pointer owned by TensorFlow. */
export type Pointer = object & { readonly __pointer?: never };

/** One output of an operation in a graph, as `TF_Output`. */
export interface GraphOutput {
  readonly oper: Pointer;
  readonly index: number;
}

/**
 * TensorFlow's numbers for the element types that the engine uses (`tensorflow/core/framework/types.proto`).
 */
export const DataTypeCode = {
  float32: 1,
  int32: 3,
  int16: 5,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  uint32: 22,
} as const;

const pointer = 'void*';
const output = koffi.struct('TF_Output', { oper: pointer, index: 'int' });
const runtime = quietly(() => loadForGood(findRuntimeLibrary()));

type TypeSpec = Parameters<typeof koffi.alias>[1];

const call = (result: TypeSpec, name: string, ...parameters: TypeSpec[]) =>
  runtime.func(name, result, parameters);

/**
 * The functions of TensorFlow's C API that the engine calls, from the very library that the tfjs addon is
 * linked to.
 */
export const api = {
  version: call('str', 'TF_Version'),
  newStatus: call(pointer, 'TF_NewStatus'),
  deleteStatus: call('void', 'TF_DeleteStatus', pointer),
  statusCode: call('int', 'TF_GetCode', pointer),
  statusMessage: call('str', 'TF_Message', pointer),
  newGraph: call(pointer, 'TF_NewGraph'),
  deleteGraph: call('void', 'TF_DeleteGraph', pointer),
  newOperation: call(pointer, 'TF_NewOperation', pointer, 'str', 'str'),
  addInput: call('void', 'TF_AddInput', pointer, output),
  addInputList: call('void', 'TF_AddInputList', pointer, koffi.pointer(output), 'int'),
  setDevice: call('void', 'TF_SetDevice', pointer, 'str'),
  addControlInput: call('void', 'TF_AddControlInput', pointer, pointer),
  finishOperation: call(pointer, 'TF_FinishOperation', pointer, pointer),
  setInt: call('void', 'TF_SetAttrInt', pointer, 'str', 'int64'),
  setIntList: call('void', 'TF_SetAttrIntList', pointer, 'str', koffi.pointer('int64'), 'int'),
  setFloat: call('void', 'TF_SetAttrFloat', pointer, 'str', 'float'),
  setBool: call('void', 'TF_SetAttrBool', pointer, 'str', 'uchar'),
  setType: call('void', 'TF_SetAttrType', pointer, 'str', 'int'),
  setString: call('void', 'TF_SetAttrString', pointer, 'str', pointer, 'size_t'),
  setShape: call('void', 'TF_SetAttrShape', pointer, 'str', koffi.pointer('int64'), 'int'),
  setTensor: call('void', 'TF_SetAttrTensor', pointer, 'str', pointer, pointer),
  outputRank: call('int', 'TF_GraphGetTensorNumDims', pointer, output, pointer),
  outputShape: call(
    'void',
    'TF_GraphGetTensorShape',
    pointer,
    output,
    koffi.out(koffi.pointer('int64')),
    'int',
    pointer,
  ),
  outputType: call('int', 'TF_OperationOutputType', output),
  registeredKernels: call(pointer, 'TF_GetRegisteredKernelsForOp', 'str', pointer),
  newBuffer: call(pointer, 'TF_NewBuffer'),
  deleteBuffer: call('void', 'TF_DeleteBuffer', pointer),
  graphToGraphDef: call('void', 'TF_GraphToGraphDef', pointer, pointer, pointer),
  operationName: call('str', 'TF_OperationName', pointer),
  allocateTensor: call(pointer, 'TF_AllocateTensor', 'int', koffi.pointer('int64'), 'int', 'size_t'),
  tensorData: call(pointer, 'TF_TensorData', pointer),
  tensorByteSize: call('size_t', 'TF_TensorByteSize', pointer),
  deleteTensor: call('void', 'TF_DeleteTensor', pointer),
  newSessionOptions: call(pointer, 'TF_NewSessionOptions'),
  deleteSessionOptions: call('void', 'TF_DeleteSessionOptions', pointer),
  setTarget: call('void', 'TF_SetTarget', pointer, 'str'),
  newServer: call(pointer, 'TF_NewServer', pointer, 'size_t', pointer),
  startServer: call('void', 'TF_ServerStart', pointer, pointer),
  serverTarget: call('str', 'TF_ServerTarget', pointer),
  setConfig: call('void', 'TF_SetConfig', pointer, pointer, 'size_t', pointer),
  newSession: call(pointer, 'TF_NewSession', pointer, pointer, pointer),
  closeSession: call('void', 'TF_CloseSession', pointer, pointer),
  deleteSession: call('void', 'TF_DeleteSession', pointer, pointer),
  listDevices: call(pointer, 'TF_SessionListDevices', pointer, pointer),
  deviceCount: call('int', 'TF_DeviceListCount', pointer),
  deviceName: call('str', 'TF_DeviceListName', pointer, 'int', pointer),
  deviceMemory: call('int64', 'TF_DeviceListMemoryBytes', pointer, 'int', pointer),
  deleteDeviceList: call('void', 'TF_DeleteDeviceList', pointer),
  runSession: call(
    'void',
    'TF_SessionRun',
    pointer,
    pointer,
    koffi.pointer(output),
    koffi.pointer(pointer),
    'int',
    koffi.pointer(output),
    koffi.out(koffi.pointer(pointer)),
    'int',
    koffi.pointer(pointer),
    'int',
    pointer,
    pointer,
  ),
};

/**
 * Runs `body` with a fresh status; throws WorkError with TensorFlow's message when the status ends up not OK.
 */
export function checked<T>(doing: string, body: (status: Pointer) => T): T {
  const status = api.newStatus();
  try {
    const result = body(status);
    if (api.statusCode(status) !== 0) throw new WorkError(`${doing}: ${api.statusMessage(status)}`);
    return result;
  } finally {
    api.deleteStatus(status);
  }
}

/** Kinds of devices that kernels are registered for; `DEFAULT` are those of every device without one of its own. */
export type KernelDevice = 'CPU' | 'GPU' | 'DEFAULT';

/** Whether TensorFlow has a kernel for an op type on one of these kinds of devices, of whatever element type. */
export function hasKernel(opType: string, devices: readonly KernelDevice[]): boolean {
  const kernels = copied(
    checked(`look up kernels of ${opType}`, (status) => api.registeredKernels(opType, status)),
  );
  // `KernelDef.device_type`; no other field of these messages has such a number and could hold this text.
  return devices.some((device) => kernels.includes(messageField(2, device)));
}

/** Whether this TensorFlow is built for GPUs. */
export const hasGpuKernels = (): boolean => hasKernel('Conv3D', ['GPU']);

/** A graph as a serialised `GraphDef`, copied out. */
export function graphDefinition(graph: Pointer): Buffer {
  const buffer = api.newBuffer();
  try {
    checked('write the graph', (status) => api.graphToGraphDef(graph, buffer, status));
  } catch (error) {
    api.deleteBuffer(buffer);
    throw error;
  }
  return copied(buffer);
}

/** The bytes of a `TF_Buffer`, which is deleted. */
function copied(buffer: Pointer): Buffer {
  try {
    const { data, length }: { data: unknown; length: number | bigint } = koffi.decode(buffer, bufferStruct);
    return Number(length) === 0
      ? Buffer.alloc(0)
      : Buffer.from(new Uint8Array(koffi.view(data, Number(length))));
  } finally {
    api.deleteBuffer(buffer);
  }
}

/**
 * Whether float32 products on a GPU may be computed in TensorFloat-32, as TensorFlow does by itself, and whether ops
 * there must give the same bits every time. The C API has no such switches; Python's `tf.config` calls these.
 * @throws WorkError where the library does not show them
 */
export function setGpuArithmetic(settings: { tensorFloat32: boolean; deterministic: boolean }): void {
  const switches = [
    ['_ZN3tsl32enable_tensor_float_32_executionEb', settings.tensorFloat32],
    ['_ZN3tsl19EnableOpDeterminismEb', settings.deterministic],
  ] as const;
  for (const [name, isOn] of switches) gpuSwitch(name)(isOn);
}

function gpuSwitch(name: string): (isOn: boolean) => void {
  try {
    return call('void', name, 'bool');
  } catch (cause) {
    throw new WorkError(
      `this TensorFlow lacks ${name}, by which TensorFloat-32 and deterministic ops are switched: ` +
        'run "hybridmim setup" without HYBRIDMIM_TENSORFLOW, or set device.use to cpu',
      {},
      { cause },
    );
  }
}

const bufferStruct = koffi.struct('TF_Buffer', { data: pointer, length: 'size_t', deallocator: pointer });

/** Where a TensorFlow tensor's bytes lie. */
export const tensorAddress = (tensor: Pointer): bigint => koffi.address(api.tensorData(tensor));

/** A view of a TensorFlow tensor's bytes; valid until the tensor is deleted. */
export function tensorBytes(tensor: Pointer): Uint8Array {
  const size = Number(api.tensorByteSize(tensor));
  return size === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(api.tensorData(tensor), size));
}

/**
 * Loads a library that stays until the process ends. koffi closes what it loaded as Node ends, and TensorFlow's
 * threads do not outlive their library; whoever opens it once more keeps it.
 */
function loadForGood(file: string): ReturnType<typeof koffi.load> {
  const library = koffi.load(file);
  if (process.platform !== 'win32') {
    const open = koffi.load(null).func('dlopen', pointer, ['str', 'int']);
    open(file, constants.dlopen.RTLD_LAZY);
  }
  return library;
}

/**
 * Runs `load` with standard error closed to it: TensorFlow's library prints two lines about oneDNN while it
 * loads, before it heeds TF_CPP_MIN_LOG_LEVEL. A failure to load comes as an exception, not on standard
 * error. Where there is no such libc the lines are printed.
 */
function quietly<T>(load: () => T): T {
  if (process.platform !== 'linux' || Number(process.env.TF_CPP_MIN_LOG_LEVEL) < 2) return load();
  const libc = koffi.load('libc.so.6');
  const [dup, dup2] = [libc.func('dup', 'int', ['int']), libc.func('dup2', 'int', ['int', 'int'])];
  const kept: number = dup(2);
  const nowhere = openSync('/dev/null', 'w');
  dup2(nowhere, 2);
  try {
    return load();
  } finally {
    dup2(kept, 2);
    closeSync(kept);
    closeSync(nowhere);
  }
}
