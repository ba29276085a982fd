import {
  createState,
  type InputSpecs,
  type InputValues,
  type Precision,
  type Reduction,
  type State,
} from '../engine/index.js';
import { initialiseParameters } from '../network/index.js';
import { randomStream } from '../random/streams.js';
import { correctionsAt, zeroMoments } from './adamw.js';
import type { LearningTask } from './learning-task.js';
import { allReplicas, replicatedValues } from './replicas.js';
import { residentPeak } from './resident-peak.js';
import { compileTrainingStep, type OptimizerSettings } from './training-step.js';

export interface TimingOptions {
  readonly precision: Precision;
  readonly optimizer: OptimizerSettings;
  /** Batches of a step; absent: one. */
  readonly replicas?: number;
  /** How the batches of a step are added; absent: `exact`. */
  readonly reduction?: Reduction;
  /** Of one op; 0: one a core. */
  readonly threads: number;
  /** Steps that do not count: the first makes the graph ready, the second finds its memory. */
  readonly warmUp: number;
  readonly steps: number;
}

export interface StepTimes {
  readonly stepMs: readonly number[];
  readonly compileMs: number;
  /** Multiplications, each with an addition, of a step's convolutions and matrix products. */
  readonly multiplyAdds: number;
  /**
   * The most that the process held so far, program included: of one that measures nothing else, what the step
   * takes; null where the system does not say.
   */
  readonly peakBytes: number | null;
}

/** Times steps of a task on random crops: forward, backward, update; nothing is read, prepared or written. */
export async function timeSteps(task: LearningTask, options: TimingOptions): Promise<StepTimes> {
  const { precision, optimizer, warmUp, steps, reduction } = options;
  const replicas = allReplicas(options.replicas ?? 1);
  const { name, parameters: specs, inputs } = task;
  const state = startingState(task, options);
  try {
    const compiled = compileTrainingStep({
      name,
      specs,
      inputs,
      replicas,
      reduction,
      state,
      precision,
      optimizer,
      ...(task.rateShare && { rateShare: task.rateShare }),
      losses: (fed, parameters) => task.losses(fed, parameters, true),
    });
    const crops = randomCrops(inputs, task.inputsBesideCrops(0));
    const stepMs: number[] = [];
    for (let i = 0; i < warmUp + steps; i++) {
      const batch = { ...crops, ...task.inputsBesideCrops(i) };
      const fed = replicatedValues(replicas, 0, i, new Array<InputValues>(replicas.here).fill(batch));
      const values = { ...fed.inputs, learningRate: Float32Array.of(1e-4), ...correctionsAt(i + 1) };
      const started = performance.now();
      await compiled.run(values, fed.seed);
      if (i >= warmUp) stepMs.push(performance.now() - started);
    }
    const { compileMs, multiplyAdds } = compiled;
    return { stepMs, compileMs, multiplyAdds, peakBytes: residentPeak() };
  } finally {
    state.dispose();
  }
}

/** A function of its own: one that waits keeps what it passed on, here the first weights. */
function startingState({ parameters }: LearningTask, { threads }: TimingOptions): State {
  return createState(
    { ...initialiseParameters(parameters, 0), ...zeroMoments(parameters) },
    { engine: 'graph', threads },
  );
}

/** Uniform values for what a loader would give, 0 where they are whole: every input that is not fed. */
function randomCrops(inputs: InputSpecs, fed: InputValues): InputValues {
  const stream = randomStream(0, 'crop');
  const given = Object.entries(inputs).filter(([name]) => !(name in fed));
  return Object.fromEntries(
    given.map(([name, { shape, dtype }]) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [
        name,
        dtype === 'int32' ? new Int32Array(length) : Float32Array.from({ length }, () => stream.uniform()),
      ];
    }),
  );
}
