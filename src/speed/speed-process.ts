import { matrixProductRate, type Precision } from '../engine/index.js';
import { measureSteps } from '../training/index.js';
import type { SpeedSetting } from './speed-settings.js';
import { timedTask } from './timed-task.js';

/** What a process is asked, and what it answers. */
export type SpeedQuestion =
  | { readonly kind: 'steps'; readonly setting: SpeedSetting; readonly steps: number }
  | { readonly kind: 'rate'; readonly precision: Precision; readonly threads: number };

/** Steps, or floating-point operations a second of a matrix product, or why there are none. */
export type SpeedAnswer =
  | { readonly measured: Awaited<ReturnType<typeof measureSteps>> }
  | { readonly rate: number }
  | { readonly error: string };

// A process of its own for every measurement, so that the largest memory is that measurement's and nothing of
// another one is left over.
process.once('message', async (question: SpeedQuestion) => {
  const answer = await answerTo(question).catch(
    (error: unknown): SpeedAnswer => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(answer, () => process.exit(0));
});

async function answerTo(question: SpeedQuestion): Promise<SpeedAnswer> {
  if (question.kind === 'rate')
    return { rate: await matrixProductRate(question.precision, question.threads) };
  const { precision, threads } = question.setting;
  return {
    measured: await measureSteps(timedTask(question.setting), { precision, threads, steps: question.steps }),
  };
}
