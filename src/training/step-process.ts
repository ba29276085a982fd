import { outOfMemory, useDevice } from '../engine/index.js';
import { HybridMimError, WorkError } from '../errors.js';
import { setKernelValue } from '../whole-file.js';
import { estimateStep, smallestBatch, wholeBatch } from './estimate-step.js';
import type { StepAnswer, StepQuestion } from './measured-apart.js';

process.once('message', async (question: StepQuestion) => {
  volunteerForMemory();
  process.send?.(await answerTo(question), () => process.exit(0));
});

async function answerTo({ step, batch, memoryBytes, steps }: StepQuestion): Promise<StepAnswer> {
  try {
    useDevice(step.settings.device);
    const task = batch === 'smallest' ? smallestBatch(step) : wholeBatch(step);
    return await estimateStep(task, step.settings, memoryBytes, steps);
  } catch (error) {
    if (error instanceof WorkError && error.facts.found === outOfMemory) return { exceeded: error.message };
    if (error instanceof HybridMimError) return { refused: error.message };
    throw error;
  }
}

/** Where memory runs out, the system ends this process before any other. */
function volunteerForMemory(): void {
  try {
    setKernelValue('/proc/self/oom_score_adj', '1000');
  } catch {
    // elsewhere the system chooses
  }
}
