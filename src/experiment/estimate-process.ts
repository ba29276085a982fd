import { writeFileSync } from 'node:fs';
import { HybridMimError } from '../errors.js';
import { labelScheme } from '../inference/index.js';
import {
  estimateStep,
  type MeasuredStep,
  smallestFinetuning,
  smallestPretraining,
} from '../training/index.js';
import type { Cell } from './cells.js';

/** What a process that measures one step is asked. */
export interface StepQuestion {
  readonly cell: Cell;
  readonly channels: number;
  /** Of the task, by label value. */
  readonly classes: Readonly<Record<string, string>>;
}

/** The step, or the sentence that says why it cannot be taken. */
export type StepAnswer = MeasuredStep | { readonly refused: string };

process.once('message', async (question: StepQuestion) => {
  volunteerForMemory();
  process.send?.(await answerTo(question), () => process.exit(0));
});

async function answerTo({ cell, channels, classes }: StepQuestion): Promise<StepAnswer> {
  try {
    if (cell.kind === 'pretrain')
      return await estimateStep(smallestPretraining(cell.settings, channels), cell.settings);
    const scheme = labelScheme(classes, cell.settings.data.regions);
    return await estimateStep(smallestFinetuning(cell.settings, channels, scheme), cell.settings);
  } catch (error) {
    if (error instanceof HybridMimError) return { refused: error.message };
    throw error;
  }
}

/** Where memory runs out, the system ends this process before any other. */
function volunteerForMemory(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // elsewhere the system chooses
  }
}
