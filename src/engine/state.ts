import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { itemAt } from '../at.js';
import { ShapeError, WorkError } from '../errors.js';
import { api, DataTypeCode, type GraphOutput, type Pointer } from './c-api.js';
import type { ClusterMember } from './cluster.js';
import { type Devices, devices } from './devices.js';
import {
  addOp,
  addOutput,
  addPlaceholder,
  createGraph,
  type Graph,
  stringAttribute,
  typeAttribute,
} from './graph.js';
import { nativeBackend } from './native-backend.js';
import { closeSession, openSession, runSession, type Session } from './session.js';
import tf, { type Variable } from './tf.js';

/** A named float32 array, as parameters and optimizer state travel between engine, files and tests. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type NamedArrays = Readonly<Record<string, NamedArray>>;

/** A state variable inside the graph. */
export interface GraphVariable {
  readonly handle: GraphOutput;
  readonly feed: GraphOutput;
  readonly assignFeed: Pointer;
  readonly shape: readonly number[];
}

/** The graph engine's side of a state; absent in eager mode. */
export interface GraphState {
  readonly graph: Graph;
  readonly session: Session;
  /** What steps over it are written for. */
  readonly target: Devices;
  readonly variables: Readonly<Record<string, GraphVariable>>;
  /** Resolves when the initial values are in the session. */
  readonly ready: Promise<void>;
}

/** Parameters and optimizer state that live inside the engine between steps. Dispose it when done. */
export interface State {
  readonly engine: 'graph' | 'eager';
  readonly variables: Readonly<Record<string, Variable>>;
  readonly inGraph: GraphState | undefined;
  /** Copies values out, all or the named ones. */
  read(names?: readonly string[]): Promise<NamedArrays>;
  /** Replaces the named values. Throws ShapeError for an unknown name or another shape. */
  write(values: NamedArrays): Promise<void>;
  /** Ends it; nothing that was compiled over it runs afterwards. */
  dispose(): void;
}

let states = 0;

/**
 * Creates a state with initial values.
 * @param options.engine  `graph` keeps it in a TensorFlow session for compiled steps; `eager` in tfjs
 *   variables
 * @param options.threads threads of one op, 0 for TensorFlow's choice; same count, same bits
 * @param options.target what steps over it are written for; by default this machine
 * @param options.member this process's place among several that compute together; absent: it is alone
 */
export function createState(
  initial: NamedArrays,
  options: {
    engine: 'graph' | 'eager';
    threads?: number;
    target?: Devices;
    member?: ClusterMember | undefined;
  },
): State {
  const prefix = `state${states++}`;
  const target = options.target ?? devices(); // which refuses where the one that was asked for is not there
  return options.engine === 'graph'
    ? graphState(initial, prefix, options.threads ?? 0, target, options.member)
    : eagerState(initial, prefix);
}

function graphState(
  initial: NamedArrays,
  prefix: string,
  threads: number,
  target: Devices,
  member: ClusterMember | undefined,
): State {
  const graph = createGraph(target.device, member?.task);
  const { inGraph, variables } = addVariables(graph, initial, prefix);
  const session = openSession(graph, threads, member?.target);
  const write = async (values: NamedArrays) => {
    const entries = Object.entries(values).map(([name, array]) => ({
      variable: matching(inGraph, name, array.shape),
      array,
    }));
    const feeds = entries.map(({ variable, array }) => ({
      output: variable.feed,
      shape: array.shape,
      dtype: DataTypeCode.float32,
      values: array.data,
    }));
    const targets = entries.map(({ variable }) => variable.assignFeed);
    if (targets.length > 0) await runSession(session, feeds, [], targets, 'write state');
  };
  const ready = write(initial).then(freeHostCopies);
  ready.catch(() => {}); // whoever runs or reads first gets the error
  const reads = new Map<string, GraphOutput>();
  const read = async (names = Object.keys(inGraph)) => {
    await ready;
    const found = names.map((name) => ({ name, variable: known(inGraph, name) }));
    const fetches = found.map(({ name, variable }) => {
      const output = reads.get(name) ?? readVariable(graph, variable);
      reads.set(name, output);
      return { output, dtype: DataTypeCode.float32 };
    });
    const values = await runSession(session, [], fetches, [], 'read state');
    const array = (i: number, { shape }: GraphVariable) => ({ shape, data: floats(itemAt(values, i)) });
    return Object.fromEntries(found.map(({ name, variable }, i) => [name, array(i, variable)]));
  };
  return {
    engine: 'graph',
    variables,
    inGraph: { graph, session, target, variables: inGraph, ready },
    read,
    write: async (values) => {
      await ready;
      await write(values);
    },
    dispose: () => {
      for (const variable of Object.values(variables)) variable.dispose();
      // A rank ends with its process: of a collective that broke, TensorFlow's threads may still use what a session
      // holds, and the process would be aborted before it has named the rank that is lost.
      if (member !== undefined) return;
      closeSession(session);
      api.deleteGraph(graph.handle); // TensorFlow keeps it until the session is closed
    },
  };
}

/**
 * Has Node look for what nobody holds any more: the values that the engine has now, which may be gigabytes.
 * By itself it looks only as more of its own memory is taken, which the engine's steps never do.
 */
async function freeHostCopies(): Promise<void> {
  await setImmediate(); // the call that took them ends first
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

function eagerState(initial: NamedArrays, prefix: string): State {
  const variables: Record<string, Variable> = {};
  for (const [name, { shape, data }] of Object.entries(initial)) {
    const value = tf.tensor(data.slice(), [...shape], 'float32');
    variables[name] = tf.variable(value, true, `${prefix}/${name}`);
    value.dispose();
  }
  return {
    engine: 'eager',
    variables,
    inGraph: undefined,
    read: async (names = Object.keys(variables)) =>
      Object.fromEntries(
        names.map((name) => {
          const variable = known(variables, name);
          return [name, { shape: variable.shape, data: Float32Array.from(variable.dataSync()) }];
        }),
      ),
    write: async (values) => {
      for (const [name, { shape, data }] of Object.entries(values)) {
        const variable = matching(variables, name, shape);
        tf.tidy(() => variable.assign(tf.tensor(data.slice(), [...shape], 'float32')));
      }
    },
    dispose: () => {
      for (const variable of Object.values(variables)) variable.dispose();
    },
  };
}

function floats(values: Float32Array | Int32Array): Float32Array {
  if (values instanceof Float32Array) return values;
  throw new WorkError('a variable of the state was read as int32, but is float32');
}

/** A node that reads the variable's present value. */
export function readVariable(graph: Graph, variable: GraphVariable): GraphOutput {
  return addOutput(
    graph,
    'ReadVariableOp',
    [variable.handle],
    [typeAttribute('dtype', DataTypeCode.float32)],
  );
}

/** Adds the variables of a state, by their shapes, and what stands for them while steps are traced. */
export function addVariables(
  graph: Graph,
  shapes: Readonly<Record<string, Pick<NamedArray, 'shape'>>>,
  prefix: string,
): { inGraph: Readonly<Record<string, GraphVariable>>; variables: Readonly<Record<string, Variable>> } {
  const inGraph: Record<string, GraphVariable> = {};
  const variables: Record<string, Variable> = {};
  for (const [name, { shape }] of Object.entries(shapes)) {
    inGraph[name] = addVariable(graph, `${prefix}/${name}`, shape);
    variables[name] = standInVariable(`${prefix}/${name}`, shape);
  }
  return { inGraph, variables };
}

function addVariable(graph: Graph, name: string, shape: readonly number[]): GraphVariable {
  const dtype = typeAttribute('dtype', DataTypeCode.float32);
  const handle = addOutput(
    graph,
    'VarHandleOp',
    [],
    [dtype, { name: 'shape', shape }, stringAttribute('shared_name', name)],
  );
  const feed = addPlaceholder(graph, DataTypeCode.float32, shape);
  return { handle, feed, assignFeed: addOp(graph, 'AssignVariableOp', [handle, feed], [dtype]), shape };
}

/** A tfjs variable with no value of its own: a trace lends it one. */
function standInVariable(name: string, shape: readonly number[]): Variable {
  const dataId = {};
  nativeBackend().tensorMap.set(dataId, {
    shape: [...shape],
    dtype: DataTypeCode.float32,
    id: -1,
    values: null,
    refCount: 1,
  });
  const tensor = tf.engine().makeTensorFromDataId(dataId, [...shape], 'float32');
  const variable = tf.variable(tensor, true, name);
  tensor.dispose();
  return variable;
}

function known<T>(variables: Readonly<Record<string, T>>, name: string): T {
  const variable = variables[name];
  if (!variable) throw new ShapeError(`the state has no variable named ${name}`, { field: name });
  return variable;
}

function matching<T extends { readonly shape: readonly number[] }>(
  variables: Readonly<Record<string, T>>,
  name: string,
  shape: readonly number[],
): T {
  const variable = known(variables, name);
  if (variable.shape.join() !== shape.join()) {
    throw new ShapeError(`${name} has shape [${variable.shape}], but values of shape [${shape}] were given`, {
      field: name,
    });
  }
  return variable;
}
