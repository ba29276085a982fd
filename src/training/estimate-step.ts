import type { LabelScheme } from '../inference/index.js';
import { makeNetwork, spatialSize } from '../network/index.js';
import { leastBatch, pretextMethod } from '../pretext/index.js';
import { segmentationNetwork } from './finetune.js';
import type { LearningTask } from './learning-task.js';
import { pretrainingTask } from './pretraining-task.js';
import type { FinetuneSettings, PretrainSettings } from './run-settings.js';
import { segmentationTask } from './segmentation-task.js';
import { requireStepMemory } from './step-memory.js';
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

/** A task with the smallest batch that it takes, for a step that is only measured. */
export interface SmallestBatch {
  readonly task: LearningTask;
  readonly batch: number;
}

/**
 * The pre-training of a configuration.
 * @throws UsageError for settings that do not fit together
 */
export function smallestPretraining(
  { network: wanted, method: config, data, train }: PretrainSettings,
  channels: number,
): SmallestBatch {
  const network = makeNetwork(wanted, { inChannels: channels, outChannels: channels });
  const batch = {
    size: Math.min(train.batchSize, leastBatch(config)),
    crop: spatialSize(data.cropSize),
    scaledTargets: false,
  };
  const method = pretextMethod(network, batch, config);
  return { task: pretrainingTask({ network, method, batch, seed: 0 }), batch: batch.size };
}

/**
 * The fine-tuning of a configuration.
 * @throws UsageError for settings that do not fit together
 */
export function smallestFinetuning(
  { network: wanted, data }: FinetuneSettings,
  channels: number,
  scheme: LabelScheme,
): SmallestBatch {
  const network = segmentationNetwork(wanted, channels, scheme);
  return {
    task: segmentationTask({ network, scheme, batchSize: 1, crop: spatialSize(data.cropSize) }),
    batch: 1,
  };
}

/**
 * Runs one step on random crops, after a first one, which also optimises the graph.
 * @throws UsageError for a step that does not fit in the memory that is free
 */
export async function estimateStep(
  { task, batch }: SmallestBatch,
  settings: PretrainSettings | FinetuneSettings,
): Promise<MeasuredStep> {
  requireStepMemory(task);
  const { train, precision } = settings;
  const { stepMs, peakBytes } = await timeSteps(task, {
    precision,
    optimizer: train,
    threads: train.threads,
    warmUp: 1,
    steps: 1,
  });
  return { batch, seconds: stepMs.reduce((sum, ms) => sum + ms, 0) / 1000, peakBytes };
}
