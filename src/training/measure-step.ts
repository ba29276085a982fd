import { createState, type InputValues, type Precision } from '../engine/index.js';
import { initialiseParameters, type Network } from '../network/index.js';
import type { PretextMethod } from '../pretext/index.js';
import { randomStream } from '../random/streams.js';
import { correctionsAt, zeroMoments } from './adamw.js';
import { taughtParameters } from './pretrain.js';
import { residentPeak } from './resident-peak.js';
import { compileTrainingStep } from './training-step.js';

export interface MeasureOptions {
  readonly network: Network;
  readonly method: PretextMethod;
  readonly precision: Precision;
  /** Of one op; 0: one a core. */
  readonly threads: number;
  /** Steps that count, after two that do not: the first optimises the graph, the second finds its memory. */
  readonly steps: number;
}

export interface MeasuredSteps {
  readonly stepMs: readonly number[];
  readonly compileMs: number;
  /** Multiplications, each with an addition, of a step's convolutions and matrix products. */
  readonly multiplyAdds: number;
  /** Largest resident memory of the process so far. */
  readonly peakBytes: number;
}

const WARM_UP = 2;

/** Times the steps of a pre-training, forward, backward and update, on random crops: nothing is read, prepared or written. */
export async function measureSteps({ network, method, precision, threads, steps }: MeasureOptions): Promise<MeasuredSteps> {
  const specs = taughtParameters(network, method);
  const state = createState({ ...initialiseParameters(specs, 0), ...zeroMoments(specs) }, { engine: 'graph', threads });
  try {
    const optimizer = { weightDecay: 1e-5, decayNormsAndBiases: true, clipNorm: null };
    const losses: Parameters<typeof compileTrainingStep>[0]['losses'] = (inputs, parameters) => method.losses(inputs, parameters, true);
    const compiled = compileTrainingStep({ name: `${method.name} step`, specs, inputs: method.inputs, state, precision, optimizer, losses });
    const crops = randomCrops(method);
    const stepMs: number[] = [];
    for (let step = 0; step < WARM_UP + steps; step++) {
      const inputs = { ...crops, ...method.corruption(0, step), learningRate: Float32Array.of(1e-4), ...correctionsAt(step + 1) };
      const started = performance.now();
      await compiled.run(inputs, step);
      if (step >= WARM_UP) stepMs.push(performance.now() - started);
    }
    const { compileMs, multiplyAdds } = compiled;
    return { stepMs, compileMs, multiplyAdds, peakBytes: residentPeak() ?? process.resourceUsage().maxRSS * 1024 };
  } finally {
    state.dispose();
  }
}

/** Uniform values for what a loader would give, 0 where they are whole: every input that the method does not feed itself. */
export function randomCrops({ inputs, corruption }: Pick<PretextMethod, 'inputs' | 'corruption'>): InputValues {
  const fed = corruption(0, 0);
  const stream = randomStream(0, 'crop');
  const given = Object.entries(inputs).filter(([name]) => !(name in fed));
  return Object.fromEntries(
    given.map(([name, { shape, dtype }]) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [name, dtype === 'int32' ? new Int32Array(length) : Float32Array.from({ length }, () => stream.uniform())];
    }),
  );
}
