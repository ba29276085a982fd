import { freeMemory } from '../free-memory.js';
import { type LabelScheme, requireImageSize } from '../inference/index.js';
import { makeNetwork, spatialSize } from '../network/index.js';
import { leastBatch, pretextMethod } from '../pretext/index.js';
import type { LearningTask } from './learning-task.js';
import { pretrainingTask } from './pretraining-task.js';
import type { FinetuneSettings, PretrainSettings } from './run-settings.js';
import { segmentationNetwork, segmentationTask } from './segmentation-task.js';
import { requireStepMemory } from './step-memory.js';
import { tensorMemory } from './tensor-memory.js';
import { timeSteps } from './time-steps.js';

/** What one training step took on this machine. */
export interface MeasuredStep {
  /** Items of the batch that was measured; time and memory grow with it. */
  readonly batch: number;
  readonly seconds: number;
  /**
   * The most that the process held so far, program included: of one that measures nothing else, what the step
   * takes; null where the system does not say.
   */
  readonly peakBytes: number | null;
}

/** A task with the batch that is measured. */
export interface MeasuredBatch {
  readonly task: LearningTask;
  readonly batch: number;
}

/** A run as far as its step goes: its settings, and what the data decide. */
export type StepOfRun =
  | { readonly kind: 'pretrain'; readonly settings: PretrainSettings; readonly channels: number }
  | {
      readonly kind: 'finetune';
      readonly settings: FinetuneSettings;
      readonly channels: number;
      readonly scheme: LabelScheme;
    };

/**
 * The step of a run with the smallest batch that its method takes.
 * @throws UsageError for settings that do not fit together
 */
export function smallestBatch(step: StepOfRun): MeasuredBatch {
  const { batchSize } = step.settings.train;
  return ofBatch(step, step.kind === 'pretrain' ? Math.min(batchSize, leastBatch(step.settings.method)) : 1);
}

/** The same with its own batch. */
export const wholeBatch = (step: StepOfRun): MeasuredBatch => ofBatch(step, step.settings.train.batchSize);

function ofBatch(step: StepOfRun, size: number): MeasuredBatch {
  const crop = spatialSize(step.settings.data.cropSize);
  const { channels } = step;
  if (step.kind === 'finetune') {
    const network = segmentationNetwork(step.settings.network, channels, step.scheme);
    requireImageSize(network, step.settings.data.cropSize, 'data.cropSize');
    return {
      task: segmentationTask({
        network,
        scheme: step.scheme,
        batchSize: size,
        crop,
        encoderRate: step.settings.train.encoderRate,
      }),
      batch: size,
    };
  }
  const network = makeNetwork(step.settings.network, { inChannels: channels, outChannels: channels });
  const batch = { size, crop, scaledTargets: false };
  const method = pretextMethod(network, batch, step.settings.method);
  return { task: pretrainingTask({ network, method, batch, seed: 0 }), batch: size };
}

/**
 * Runs steps on random crops, after a first one, which also makes the graph ready, and takes their median.
 * @param memoryBytes the most that it may take; absent: what is free
 * @throws UsageError for a step that cannot fit
 */
export async function estimateStep(
  { task, batch }: MeasuredBatch,
  settings: PretrainSettings | FinetuneSettings,
  memoryBytes?: number | undefined,
  steps = 1,
): Promise<MeasuredStep> {
  requireStepMemory(task, tensorMemory(memoryBytes ?? freeMemory()));
  const { train, precision } = settings;
  const { stepMs, peakBytes } = await timeSteps(task, {
    precision,
    optimizer: train,
    threads: train.threads,
    replicas: train.replicas,
    reduction: train.reduction,
    warmUp: 1,
    steps,
  });
  const [median = Number.NaN] = stepMs.toSorted((a, b) => a - b).slice(Math.floor(stepMs.length / 2));
  return { batch, seconds: median / 1000, peakBytes };
}
