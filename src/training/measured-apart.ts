import { WorkError } from '../errors.js';
import { askProcess, endedForMemory } from '../threads/index.js';
import { workerEntry } from '../worker-entry.js';
import type { MeasuredStep, StepOfRun } from './estimate-step.js';

/** What a process that measures one step is asked. */
export interface StepQuestion {
  readonly step: StepOfRun;
  /** The batch of the settings, or the smallest that the method takes. */
  readonly batch: 'whole' | 'smallest';
  /** The most that the step may take; absent: what is free. */
  readonly memoryBytes?: number | undefined;
  /** How many are timed; the median counts, on a machine with other work. Default 1. */
  readonly steps?: number;
}

/**
 * What it answers: the step, or the sentence that says why it cannot be taken; `exceeded` where TensorFlow found no
 * memory for it.
 */
export type StepAnswer = MeasuredStep | { readonly refused: string } | { readonly exceeded: string };

/**
 * A measured step, or why there is none: settings that do not go together (`refused`), more memory than it may
 * take (`exceeded`), or a process that ended otherwise (`failed`).
 */
export type StepOutcome =
  | { readonly kind: 'measured'; readonly step: MeasuredStep }
  | { readonly kind: 'refused' | 'exceeded' | 'failed'; readonly reason: string };

/**
 * Takes two steps of a run in a process of its own, which is ended as soon as it holds more than it may, and
 * times the second: nothing is read or written, and the program itself is not in danger.
 * @throws InterruptedError after `signal`
 */
export async function measureStepApart(
  question: StepQuestion,
  signal?: AbortSignal | undefined,
): Promise<StepOutcome> {
  const { memoryBytes } = question;
  const entry = workerEntry(import.meta.url, './step-process.js');
  try {
    const answer = await askProcess<StepAnswer>(entry, question, {
      signal,
      interrupted: 'stopped while a step was measured: nothing was written',
      memoryBytes,
    });
    if ('refused' in answer) return { kind: 'refused', reason: answer.refused };
    if ('exceeded' in answer) return { kind: 'exceeded', reason: answer.exceeded };
    // Memory may have grown and shrunk between two looks.
    const { peakBytes } = answer;
    if (memoryBytes !== undefined && peakBytes !== null && peakBytes > memoryBytes)
      return { kind: 'exceeded', reason: `it held ${peakBytes} bytes` };
    return { kind: 'measured', step: answer };
  } catch (error) {
    if (!(error instanceof WorkError)) throw error;
    const killed = error.facts.found === endedForMemory || error.facts.found === 'SIGKILL';
    return { kind: killed ? 'exceeded' : 'failed', reason: error.message };
  }
}
