import { DataError, InterruptedError } from '../errors.js';
import { measureStepApart, stepBudget } from '../training/index.js';
import type { TakeStep } from './choose-step.js';
import type { PlanOptions } from './plan-options.js';

/**
 * Seconds that a step may take to begin: starting TensorFlow, making and optimising the graph. It takes a few on
 * a free machine, and many times that on one with other work.
 */
const startSeconds = 240;

/** Steps of which the median counts. */
const stepsTimed = 3;

/** Takes steps in processes of their own, which are ended when they hold or take too much. */
export function takenApart(onNote: PlanOptions['onNote'], signal: AbortSignal | undefined): TakeStep {
  return async (step, { memoryBytes, seconds }) => {
    const { train, data, network } = step.settings;
    const what = `${step.kind === 'pretrain' ? 'pre-training' : 'fine-tuning'} step, crop ${data.cropSize.join('x')}, batch ${train.batchSize}, width ${'features' in network ? network.features[0] : '-'}`;
    const late = Number.isFinite(seconds)
      ? AbortSignal.timeout(Math.ceil(1000 * (startSeconds + (stepsTimed + 2) * seconds)))
      : undefined;
    const budget = stepBudget(step, memoryBytes);
    try {
      const outcome = await measureStepApart(
        { step, batch: 'whole', memoryBytes: budget, steps: stepsTimed },
        AbortSignal.any([signal, late].flatMap((given) => given ?? [])),
      );
      if (outcome.kind === 'measured') {
        const { seconds: taken, peakBytes } = outcome.step;
        onNote?.(`${what}: ${taken.toPrecision(3)} s${peakBytes === null ? '' : `, ${gib(peakBytes)}`}`);
        return { seconds: taken, peakBytes };
      }
      if (outcome.kind === 'failed') throw new DataError(outcome.reason);
      onNote?.(`${what}: needs more than ${gib(memoryBytes)}`);
      return undefined;
    } catch (error) {
      if (!(error instanceof InterruptedError) || signal?.aborted) throw error;
      onNote?.(`${what}: takes too long`);
      return undefined;
    }
  };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
