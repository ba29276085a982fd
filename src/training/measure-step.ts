import type { Precision } from '../engine/index.js';
import type { LearningTask } from './learning-task.js';
import { type StepTimes, timeSteps } from './time-steps.js';

export interface MeasureOptions {
  readonly precision: Precision;
  /** Of one op; 0: one a core. */
  readonly threads: number;
  /** Steps that count, after two that do not. */
  readonly steps: number;
}

export interface MeasuredSteps extends StepTimes {
  /**
   * As in `StepTimes`; where the system does not say, what Node says, which begins with the peak of the
   * process that started this one.
   */
  readonly peakBytes: number;
}

const WARM_UP = 2;
const optimizer = { weightDecay: 1e-5, decayNormsAndBiases: true, clipNorm: null, notFiniteSteps: 0 };

/** Times the steps of a task on random crops. */
export async function measureSteps(
  task: LearningTask,
  { precision, threads, steps }: MeasureOptions,
): Promise<MeasuredSteps> {
  const times = await timeSteps(task, { precision, threads, optimizer, warmUp: WARM_UP, steps });
  return { ...times, peakBytes: times.peakBytes ?? process.resourceUsage().maxRSS * 1024 };
}
