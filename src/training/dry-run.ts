import { readPreparedIndex, withFold } from '../dataset/index.js';
import { InterruptedError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { elementCount, makeNetwork } from '../network/index.js';
import { type StepOfRun, wholeBatch } from './estimate-step.js';
import { fineTunedCases, foldOf, taskScheme } from './finetune.js';
import { measureStepApart } from './measured-apart.js';
import { stepBudget } from './memory-check.js';
import { casesToLearnFrom, preparedCasesOf } from './pretrain.js';
import type { FinetuneSettings, PretrainSettings } from './run-settings.js';
import { scheduleOf } from './schedule.js';
import { segmentationNetwork } from './segmentation-task.js';
import { transferredWeights } from './transfer.js';
import { weightsFile } from './weights-source.js';

/** What a run would take, by a step that was taken in a process of its own; nothing is written. */
export interface DryRun {
  readonly cases: number;
  readonly steps: number;
  readonly stepSeconds: number | null;
  /** Of all steps; validations come on top. */
  readonly seconds: number | null;
  /** Of a step, program included. */
  readonly peakBytes: number | null;
  readonly freeBytes: number;
  /** Of the weights and the optimiser's state that a run folder holds at most. */
  readonly diskBytes: number;
  /** Why the step could not be taken; null where it was. */
  readonly refused: string | null;
}

export interface DryRunOptions<S> {
  readonly settings: S;
  readonly init?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a pre-training would take. Data, settings and weights are checked as the run would.
 * @throws as `pretrain` does before its first step
 */
export async function dryRunPretraining({
  settings,
  init,
  signal,
}: DryRunOptions<PretrainSettings>): Promise<DryRun> {
  const cases = await preparedCasesOf(settings.data, await casesToLearnFrom(settings.data));
  const channels = cases[0]?.channels ?? 1;
  if (init !== undefined) {
    const network = makeNetwork(settings.network, { inChannels: channels, outChannels: channels });
    await transferredWeights(await weightsFile(init), network, settings.network);
  }
  return tried({ kind: 'pretrain', settings, channels }, cases.length, signal);
}

/** What a fine-tuning would take. Throws as `finetune` does before its first step. */
export async function dryRunFinetuning({
  settings,
  init,
  signal,
}: DryRunOptions<FinetuneSettings>): Promise<DryRun> {
  const { data } = settings;
  const index = withFold(await readPreparedIndex(data.prepared), foldOf(data));
  const cases = fineTunedCases(index, settings);
  const scheme = taskScheme(index, cases, data.regions);
  const channels = cases[0]?.channels ?? 1;
  if (init !== undefined) {
    const network = segmentationNetwork(settings.network, channels, scheme);
    await transferredWeights(await weightsFile(init), network, settings.network, settings.transfer);
  }
  return tried({ kind: 'finetune', settings, channels, scheme }, cases.length, signal);
}

/** Copies of the parameters on disk: a checkpoint with two moments, the one before it for a moment, the best. */
const copies = 7;

async function tried(step: StepOfRun, cases: number, signal: AbortSignal | undefined): Promise<DryRun> {
  const { task } = wholeBatch(step);
  const { steps } = scheduleOf(step.settings.train, cases);
  const freeBytes = freeMemory();
  const parameters = task.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const budget = stepBudget(step, freeBytes);
  const outcome = await measureStepApart({ step, batch: 'whole', memoryBytes: budget, steps: 2 }, signal);
  if (signal?.aborted) throw new InterruptedError('stopped: nothing was written');
  const taken = outcome.kind === 'measured' ? outcome.step : undefined;
  return {
    cases,
    steps,
    stepSeconds: taken?.seconds ?? null,
    seconds: taken ? taken.seconds * steps : null,
    peakBytes: taken?.peakBytes ?? null,
    freeBytes,
    diskBytes: 4 * parameters * copies,
    refused:
      outcome.kind === 'measured'
        ? null
        : outcome.kind === 'exceeded'
          ? `the step needs more than the ${(freeBytes / 2 ** 30).toFixed(1)} GiB of memory that are free`
          : outcome.reason,
  };
}
