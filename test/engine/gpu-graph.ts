import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { z } from 'zod';
import { checked, DataTypeCode, type GraphOutput, type Pointer } from '../../src/engine/c-api.js';
import type { CompiledStep } from '../../src/engine/compile.js';
import type { Devices } from '../../src/engine/devices.js';
import { createGraph, describeOutput, type Graph } from '../../src/engine/graph.js';
import type { NamedArray, State } from '../../src/engine/index.js';
import { findRuntimeLibrary } from '../../src/engine/runtime-files.js';
import { closeSession, openSession } from '../../src/engine/session.js';
import { addVariables } from '../../src/engine/state.js';

/** A GPU with so much memory as the paper's. */
export const gpu: Extract<Devices, { kind: 'gpu' }> = {
  kind: 'gpu',
  cores: 16,
  bfloat16: 'native',
  avx512: true,
  gpuMemoryBytes: 80 * 2 ** 30,
};

/** More than this may not go between a GPU and the host for one op. */
const MOST_HOST_BYTES = 2 ** 16;

/** Host memory of a kernel, by the names of its arguments, and the types that it is for. */
const kernel = z.tuple([z.enum(['GPU', 'DEFAULT']), z.record(z.string(), z.string()), z.array(z.string())]);
const tableOfKernels = z.strictObject({
  library: z.looseObject({ version: z.string(), sha256: z.string() }),
  ops: z.record(
    z.string(),
    z.strictObject({
      inputs: z.array(z.string()),
      outputs: z.array(z.string()),
      kernels: z.array(kernel),
    }),
  ),
});

/** What the CUDA build has for a GPU, by `test/parity/engine/make_kernel_table.py`. */
export const kernelTable = tableOfKernels.parse(
  JSON.parse(readFileSync('test/parity/engine/kernels-cuda.json', 'utf8')),
);

/** TensorFlow's numbers of element types, and the bytes of one. */
const elements: Readonly<Record<number, readonly [name: string, bytes: number]>> = {
  [DataTypeCode.float32]: ['float32', 4],
  [DataTypeCode.int32]: ['int32', 4],
  4: ['uint8', 1],
  [DataTypeCode.int16]: ['int16', 2],
  [DataTypeCode.int64]: ['int64', 8],
  [DataTypeCode.bool]: ['bool', 1],
  [DataTypeCode.bfloat16]: ['bfloat16', 2],
  17: ['uint16', 2],
  20: ['resource', 8],
  22: ['uint32', 4],
};

const library = koffi.load(findRuntimeLibrary());
const place = koffi.struct('PlaceInGraph', { oper: 'void*', index: 'int' });
const operationType = library.func('TF_OperationOpType', 'str', ['void*']);
const operationName = library.func('TF_OperationName', 'str', ['void*']);
const inputCount = library.func('TF_OperationNumInputs', 'int', ['void*']);
const outputCount = library.func('TF_OperationNumOutputs', 'int', ['void*']);
const inputOf = library.func('TF_OperationInput', place, [place]);
const controlCount = library.func('TF_OperationNumControlInputs', 'int', ['void*']);
const controlInputs = library.func('TF_OperationGetControlInputs', 'int', [
  'void*',
  koffi.out(koffi.pointer('void*')),
  'int',
]);
const typeOf = library.func('TF_OperationGetAttrType', 'void', [
  'void*',
  'str',
  koffi.out(koffi.pointer('int')),
  'void*',
]);
const listLength = {
  inputs: library.func('TF_OperationInputListLength', 'int', ['void*', 'str', 'void*']),
  outputs: library.func('TF_OperationOutputListLength', 'int', ['void*', 'str', 'void*']),
};

/**
 * A state that was never given values: steps can be traced over it for a device that is not at hand, and none
 * runs.
 */
export function tracedState(
  shapes: Readonly<Record<string, Pick<NamedArray, 'shape'>>>,
  target: Devices,
): State {
  const graph = createGraph();
  const { inGraph, variables } = addVariables(graph, shapes, 'traced');
  const session = openSession(graph, 1);
  const nothing = () => Promise.reject(new Error('a state that is traced alone has no values'));
  return {
    engine: 'graph',
    variables,
    inGraph: { graph, session, target, variables: inGraph, ready: Promise.resolve() },
    read: nothing,
    write: nothing,
    dispose: () => {
      for (const variable of Object.values(variables)) variable.dispose();
      closeSession(session);
    },
  };
}

/** An operation that runs, by the name of its node. */
export interface RunNode {
  readonly name: string;
  readonly op: string;
  readonly oper: Pointer;
  readonly inputs: readonly GraphOutput[];
}

/** What TensorFlow runs of a compiled step: what is fetched or changes the state, and all that this needs. */
export function runNodes({ inGraph }: Pick<CompiledStep, 'inGraph'>): RunNode[] {
  if (!inGraph) throw new Error('an eager step has no nodes');
  const found = new Map<string, RunNode>();
  const waiting = [...Object.values(inGraph.fetches).map(({ output }) => output.oper), ...inGraph.updates];
  for (let oper = waiting.pop(); oper !== undefined; oper = waiting.pop()) {
    const name: string = operationName(oper);
    if (found.has(name)) continue;
    const node = oper;
    const inputs = Array.from(
      { length: inputCount(node) },
      (_, index): GraphOutput => inputOf({ oper: node, index }),
    );
    const before: Pointer[] = new Array(controlCount(node)).fill(null);
    if (before.length > 0) controlInputs(node, before, before.length);
    found.set(name, { name, op: operationType(node), oper: node, inputs });
    waiting.push(...inputs.map((input) => input.oper), ...before);
  }
  return [...found.values()];
}

/**
 * What is wrong with a node on a GPU, `undefined` where nothing is: no kernel for its types, or more than 64 KiB
 * that go through the host's memory.
 */
export function wrongOnGpu(graph: Graph, { op, oper, inputs }: RunNode): string | undefined {
  const known = kernelTable.ops[op];
  if (!known) return `${op} is not in the table: add it to make_kernel_table.py and run that`;
  const types = (attribute: string): string => {
    const out = [0];
    checked(op, (status) => typeOf(oper, attribute, out, status));
    return elements[out[0] ?? 0]?.[0] ?? `type ${out[0]}`;
  };
  const fits = known.kernels.filter(([, constraints]) =>
    Object.entries(constraints).every(([name, allowed]) => allowed.split(' ').includes(types(name))),
  );
  // TensorFlow asks for a kernel of the device itself first.
  const taken = fits.find(([device]) => device === 'GPU') ?? fits[0];
  const attributes = [...new Set(known.kernels.flatMap(([, constraints]) => Object.keys(constraints)))];
  const signature = `${op}(${attributes.map((name) => `${name}=${types(name)}`).join(', ')})`;
  if (!taken) return `${signature} has no kernel on a GPU`;
  const [, , host] = taken;
  const outputs = Array.from({ length: outputCount(oper) }, (_, index): GraphOutput => ({ oper, index }));
  const through = [
    ...argumentsOf(oper, 'inputs', known.inputs, inputs),
    ...argumentsOf(oper, 'outputs', known.outputs, outputs),
  ].filter(({ argument, output }) => host.includes(argument) && bytesOf(graph, output) > MOST_HOST_BYTES);
  if (through.length === 0) return undefined;
  return `${signature} takes ${through.map(({ argument }) => argument).join(', ')} through the host`;
}

/** The inputs or outputs of an operation with the names of their arguments. */
function argumentsOf(
  oper: Pointer,
  side: keyof typeof listLength,
  names: readonly string[],
  outputs: readonly GraphOutput[],
): { readonly argument: string; readonly output: GraphOutput }[] {
  const each = names.flatMap((name) => {
    const [argument = '', list] = name.split('*');
    const length = list ? checked(argument, (status) => listLength[side](oper, argument, status)) : 1;
    return new Array<string>(Number(length)).fill(argument);
  });
  if (each.length !== outputs.length)
    throw new Error(`${each} are not the ${outputs.length} ${side} of a node`);
  return each.map((argument, i) => ({ argument, output: outputs[i] as GraphOutput }));
}

/** Bytes of what an operation gives. Throws where its shape is not known. */
export function bytesOf(graph: Graph, output: GraphOutput): number {
  const { shape, dtype } = describeOutput(graph, output);
  const element = elements[dtype];
  if (!element || shape.some((n) => n < 0))
    throw new Error(`${operationName(output.oper)} gives [${shape}] of type ${dtype}`);
  return shape.reduce((product, n) => product * n, element[1]);
}
