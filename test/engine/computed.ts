import {
  compile,
  createState,
  type NamedArray,
  type NamedArrays,
  type Precision,
  type State,
  type StepFunction,
} from '../../src/engine/index.js';
import { randomStream } from '../../src/random/streams.js';
import { gpu } from './gpu-graph.js';

export type Engine = 'graph' | 'eager' | 'graph for a GPU';
/** The graph for a GPU runs on the CPU here, which has kernels for all of its ops: what it computes is the same. */
export const engines: readonly Engine[] = ['graph', 'eager', 'graph for a GPU'];

/** A state with initial values in one of the engines. */
export const stateIn = (engine: Engine, initial: NamedArrays = {}): State =>
  engine === 'graph for a GPU'
    ? createState(initial, { engine: 'graph', target: gpu })
    : createState(initial, { engine });

/** Normally distributed float32 values of standard deviation 0.5, the same for the same `salt`. */
export function normals(shape: readonly number[], salt: number): NamedArray {
  const stream = randomStream(11, 'init', salt);
  return {
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * stream.normal()),
  };
}

/** What a step without state gives for these inputs. */
export async function computed(
  engine: Engine,
  step: StepFunction,
  inputs: Readonly<Record<string, NamedArray>> = {},
  seed = 0,
  precision: Precision = 'float32',
) {
  const run = runnable(engine, step, inputs, precision);
  try {
    return await run(inputs, seed);
  } finally {
    run.dispose();
  }
}

/** A step without state, compiled once for inputs of these shapes; dispose it when done. */
export function runnable(
  engine: Engine,
  step: StepFunction,
  like: Readonly<Record<string, NamedArray>>,
  precision: Precision = 'float32',
) {
  const state = stateIn(engine);
  const specs = Object.fromEntries(
    Object.entries(like).map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]),
  );
  const compiled = compile(step, { name: 'test step', inputs: specs, state, precision });
  const run = async (inputs: Readonly<Record<string, NamedArray>>, seed = 0) => {
    const values = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
    return (await compiled.run(values, seed)) as Record<string, Float32Array>;
  };
  return Object.assign(run, { dispose: () => state.dispose() });
}
