import { entryOf, itemAt } from '../at.js';
import { HybridMimError, ShapeError, WorkError } from '../errors.js';
import { DataTypeCode, type GraphOutput, type Pointer } from './c-api.js';
import { graphTarget } from './devices.js';
import { addOp, addOutput, addPlaceholder, describeOutput, floatViewer, typeAttribute } from './graph.js';
import { seedOfDraws } from './random.js';
import { ofRank } from './rank.js';
import { type Feed, type Fetch, runSession, runSessionWith } from './session.js';
import { type GraphState, readVariable, type State } from './state.js';
import { type StepMode, stepMode } from './step-mode.js';
import tf, { type Tensor, type Variable } from './tf.js';
import { type Precision, type Trace, traceInto } from './trace.js';
import { type UpdateWriter, updateWriter } from './variable-update.js';

export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
}

export type InputSpecs = Readonly<Record<string, InputSpec>>;
export type InputValues = Readonly<Record<string, Float32Array | Int32Array>>;
export type OutputValues = Record<string, Float32Array | Int32Array>;

/**
 * A step in tfjs: tensors and variables in, tensors out; assigning a variable, or an op that changes it where
 * it lies, is the update.
 */
export type StepFunction = (
  inputs: Record<string, Tensor>,
  variables: Readonly<Record<string, Variable>>,
) => Record<string, Tensor>;

export interface CompileOptions {
  /** Named in errors, such as `training step`. */
  readonly name: string;
  readonly inputs: InputSpecs;
  readonly state: State;
  /**
   * Convolutions and matrix products in this type; everything else stays float32. Eager mode knows only
   * float32.
   */
  readonly precision: Precision;
  /** By default `training`, which can be differentiated. */
  readonly mode?: StepMode;
}

export interface CompiledStep {
  /** Runs once, off the main thread in graph mode. `seed` (0..2^31-1) feeds the in-graph random numbers. */
  run(inputs: InputValues, seed?: number): Promise<OutputValues>;
  /**
   * The same with what `use` makes of the one output, a float32 one, where it lies: the values are valid in
   * `use` alone. For large outputs, and to begin the next run before they are read.
   */
  runWith<T>(inputs: InputValues, output: string, use: (values: Float32Array) => T): Promise<T>;
  readonly compileMs: number;
  /** Nodes added to the graph; 0 in eager mode. */
  readonly nodes: number;
  /**
   * Multiplications, each with an addition, of the convolutions and matrix products of a run; 0 in eager
   * mode.
   */
  readonly multiplyAdds: number;
  /** What was added to the graph, to be looked at; undefined in eager mode. */
  readonly inGraph: StepInGraph | undefined;
}

/** A step as nodes of a graph. */
export interface StepInGraph {
  readonly fed: readonly (Omit<Feed, 'values'> & { readonly name: string })[];
  readonly seedFeed: GraphOutput;
  readonly fetches: Readonly<Record<string, Fetch>>;
  /** Operations that are run for what they change. */
  readonly updates: readonly Pointer[];
}

/**
 * Turns a tfjs function into one TensorFlow graph function over the state (or runs it op by op if the state
 * is eager). Several functions may be compiled over one state: they share its values.
 * @throws ShapeError or WorkError naming the place in the network where tracing failed
 */
export function compile(step: StepFunction, options: CompileOptions): CompiledStep {
  const { inGraph } = options.state;
  return inGraph ? compileGraph(step, options, inGraph) : compileEager(step, options);
}

function compileGraph(step: StepFunction, options: CompileOptions, inGraph: GraphState): CompiledStep {
  const started = performance.now();
  const { graph, session, ready } = inGraph;
  const nodesBefore = graph.nodes;
  const { multiplyAdds, ...added } = addStep(step, options, inGraph);
  const { fed, seedFeed, fetches, updates } = added;
  const compileMs = performance.now() - started;
  // Told at once from then on: a run begins within the call, beside what its caller does next.
  let isReady = false;
  ready.then(
    () => (isReady = true),
    () => {}, // whoever runs gets the error
  );
  const feedsOf = (values: InputValues, seed: number): Feed[] => {
    checkInputs(options, values);
    const feeds = fed.map(({ name, ...feed }) => ({ ...feed, values: entryOf(values, name) }));
    return [
      ...feeds,
      { output: seedFeed, shape: [], dtype: DataTypeCode.int32, values: Int32Array.of(seed) },
    ];
  };
  const viewers = Object.fromEntries(Object.keys(fetches).map((name) => [name, floatViewer()]));
  return {
    compileMs,
    nodes: graph.nodes - nodesBefore,
    multiplyAdds,
    inGraph: added,
    run: async (values, seed = 0) => {
      const feeds = feedsOf(values, seed);
      if (!isReady) await ready;
      const results = await runSession(session, feeds, Object.values(fetches), updates, options.name);
      return Object.fromEntries(Object.keys(fetches).map((name, i) => [name, itemAt(results, i)]));
    },
    runWith: async (values, output, use) => {
      const [fetch, floatsOf] = [fetches[output], viewers[output]];
      if (!floatsOf || fetch?.dtype !== DataTypeCode.float32)
        throw new WorkError(`${options.name}: there is no float32 output ${output}`, { field: output });
      const feeds = feedsOf(values, 0);
      if (!isReady) await ready;
      return runSessionWith(session, feeds, [fetch], updates, options.name, (tensors) =>
        use(floatsOf(itemAt(tensors, 0))),
      );
    },
  };
}

/** Adds a step to the graph of the state that it is compiled over, written for the state's target. */
function addStep(
  step: StepFunction,
  options: CompileOptions,
  inGraph: GraphState,
): StepInGraph & { readonly multiplyAdds: number } {
  const { graph, target } = inGraph;
  const fed = Object.entries(options.inputs).map(([name, { shape, dtype }]) => {
    const code = DataTypeCode[dtype];
    return { name, shape, dtype: code, output: addPlaceholder(graph, code, shape) };
  });
  const placeholders = Object.fromEntries(fed.map(({ name, output }) => [name, output]));
  const seedFeed = addPlaceholder(graph, DataTypeCode.int32, []);
  const traced = () => traceStep(step, options, inGraph, placeholders, seedFeed);
  return { fed, seedFeed, ...graphTarget.within(target, traced) };
}

/**
 * Traces the step; every variable is lent its in-graph value while the function runs and given back its own
 * after.
 */
function traceStep(
  step: StepFunction,
  options: CompileOptions,
  inGraph: GraphState,
  placeholders: Readonly<Record<string, GraphOutput>>,
  seedFeed: GraphOutput,
): { fetches: Record<string, Fetch>; updates: Pointer[]; multiplyAdds: number } {
  const { graph } = inGraph;
  const { variables } = options.state;
  return traceInto(graph, options.precision, (trace) => {
    const fetches: Record<string, Fetch> = {};
    const updates: Pointer[] = [];
    tf.tidy(() => {
      const lent = lendVariables(trace, inGraph, variables);
      try {
        const inputs = Object.fromEntries(
          Object.entries(placeholders).map(([name, output]) => [name, trace.tensorFor(output)]),
        );
        const update: UpdateWriter = (op, attributes, targets, taken) => {
          const operands = [...targets.map(lent.handle), ...taken.map(trace.outputOf)];
          updates.push(addOp(graph, op, operands, attributes, targets.map(lent.settled)));
        };
        const traced = () =>
          updateWriter.within(update, () => named(options.name, () => step(inputs, variables)));
        const seeded = () => seedOfDraws.within(ofRank(trace.tensorFor(seedFeed), 0), traced);
        const results = stepMode.within(options.mode ?? 'training', seeded);
        for (const [name, tensor] of Object.entries(results)) {
          const output = trace.outputOf(tensor);
          const { dtype } = describeOutput(graph, output);
          // TensorFlow refuses to give out what is fed in the same run.
          const isInput = Object.values(placeholders).includes(output);
          fetches[name] = {
            output: isInput ? addOutput(graph, 'Identity', [output], [typeAttribute('T', dtype)]) : output,
            dtype,
          };
        }
        updates.push(...lent.unwritten().map(lent.settled));
      } finally {
        lent.giveBack();
      }
    });
    return { fetches, updates, multiplyAdds: trace.multiplyAdds() };
  });
}

/** The state's variables while a step is traced. */
interface LentVariables {
  handle(variable: Variable): GraphOutput;
  /**
   * The op after which what the step made of a variable lies in it: the assignment, written at the first
   * call, or else the read, so that every use sees the value from before the step.
   */
  settled(variable: Variable): Pointer;
  /** Those assigned by the step of which no assignment is written yet. */
  unwritten(): Variable[];
  giveBack(): void;
}

/** Gives every variable its in-graph value in place of its own. */
function lendVariables(
  trace: Trace,
  inGraph: GraphState,
  variables: Readonly<Record<string, Variable>>,
): LentVariables {
  const { graph } = inGraph;
  const lent = new Map(
    Object.entries(variables).map(([name, variable]) => {
      const value = inGraph.variables[name];
      if (!value) throw new WorkError(`variable ${name} is not part of the graph`);
      const read = readVariable(graph, value);
      return [
        variable,
        { ownId: variable.dataId, lentId: trace.tensorFor(read).dataId, read, handle: value.handle },
      ] as const;
    }),
  );
  for (const [variable, { lentId }] of lent) {
    variable.dataId = lentId;
    tf.engine().incRef(variable, tf.backend());
  }
  const of = (variable: Variable) => {
    const found = lent.get(variable);
    if (!found)
      throw new WorkError(
        `variable ${variable.name} is not part of the state that the step was compiled over`,
      );
    return found;
  };
  const written = new Set<Variable>();
  const isAssigned = (variable: Variable) => variable.dataId !== of(variable).lentId;
  return {
    handle: (variable) => of(variable).handle,
    settled: (variable) => {
      const { handle, read } = of(variable);
      if (!isAssigned(variable)) return read.oper;
      written.add(variable);
      return addOp(
        graph,
        'AssignVariableOp',
        [handle, trace.outputOf(variable)],
        [typeAttribute('dtype', DataTypeCode.float32)],
        [read.oper],
      );
    },
    unwritten: () => [...lent.keys()].filter((variable) => isAssigned(variable) && !written.has(variable)),
    giveBack: () => {
      for (const [variable, { ownId }] of lent) {
        tf.engine().disposeTensor(variable);
        variable.dataId = ownId;
      }
    },
  };
}

function compileEager(step: StepFunction, options: CompileOptions): CompiledStep {
  if (options.precision !== 'float32') {
    throw new WorkError(
      `${options.name}: the eager engine computes in float32 only; use engine: graph for ${options.precision}`,
    );
  }
  const run: CompiledStep['run'] = async (values, seed = 0) => {
    checkInputs(options, values);
    const results = tf.tidy(() => {
      const inputs = Object.fromEntries(
        Object.entries(options.inputs).map(([name, spec]) => [
          name,
          tf.tensor(entryOf(values, name), [...spec.shape], spec.dtype),
        ]),
      );
      return seedOfDraws.within(tf.scalar(seed, 'int32'), () =>
        named(options.name, () => step(inputs, options.state.variables)),
      );
    });
    const outputs: OutputValues = {};
    for (const [name, tensor] of Object.entries(results)) {
      const data = tensor.dataSync();
      outputs[name] = tensor.dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data);
      tensor.dispose();
    }
    return outputs;
  };
  return {
    compileMs: 0,
    nodes: 0,
    multiplyAdds: 0,
    inGraph: undefined,
    run,
    runWith: async (values, output, use) => {
      const { [output]: found } = await run(values);
      if (!(found instanceof Float32Array))
        throw new WorkError(`${options.name}: there is no float32 output ${output}`, { field: output });
      return use(found);
    },
  };
}

/** Errors that ops throw without knowing where they are get the step's name. */
function named<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof HybridMimError || !(error instanceof Error)) throw error;
    throw new WorkError(`${name}: ${error.message}`, {}, { cause: error });
  }
}

function checkInputs(options: CompileOptions, values: InputValues): void {
  for (const [name, spec] of Object.entries(options.inputs)) {
    const expected = spec.shape.reduce((product, n) => product * n, 1);
    const value = values[name];
    if (!value)
      throw new ShapeError(`${options.name}: input ${name} of shape [${spec.shape}] was not given`, {
        field: name,
      });
    if (value.length !== expected) {
      throw new ShapeError(
        `${options.name}: input ${name} takes ${expected} values (shape [${spec.shape}]), got ${value.length}`,
        { field: name },
      );
    }
    const type = value instanceof Int32Array ? 'int32' : 'float32';
    if (type !== spec.dtype)
      throw new ShapeError(`${options.name}: input ${name} takes ${spec.dtype}, got ${type}`, {
        field: name,
      });
  }
  const unknown = Object.keys(values).find((name) => !(name in options.inputs));
  if (unknown)
    throw new ShapeError(
      `${options.name}: there is no input ${unknown}; it takes ${Object.keys(options.inputs).join(', ')}`,
      {
        field: unknown,
      },
    );
}
