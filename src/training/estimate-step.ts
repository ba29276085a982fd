import type { LabelScheme } from '../inference/index.js';
import { makeNetwork, spatialSize } from '../network/index.js';
import { pretextMethod } from '../pretext/index.js';
import { type FinetuneSettings, segmentationLoss, segmentationNetwork } from './finetune.js';
import { type PretrainSettings, pretrainingBytes, taughtParameters } from './pretrain.js';
import { segmentationTargets } from './segmentation-targets.js';
import { requireStepMemory } from './step-memory.js';
import { type TimedStep, timeSteps } from './time-steps.js';

/** What one training step took on this machine. */
export interface MeasuredStep {
  /** Items of the batch that was measured; time and memory grow with it. */
  readonly batch: number;
  readonly seconds: number;
  /** The most that the process held so far, program included: of one that measures nothing else, what the step takes; null where the system does not say. */
  readonly peakBytes: number | null;
}

/**
 * Runs a pre-training step of a configuration on random crops of its size, with the smallest batch that its method takes.
 * @throws UsageError for settings that do not fit together, or a step that does not fit in the memory that is free
 */
export async function measurePretrainingStep(
  { network: wanted, method: config, data, train, precision }: PretrainSettings,
  channels: number,
): Promise<MeasuredStep> {
  const network = makeNetwork(wanted, { inChannels: channels, outChannels: channels });
  const contrasts = config.name === 'hybridmim' && config.weights.contrast > 0;
  const batch = { size: Math.min(train.batchSize, contrasts ? 2 : 1), crop: spatialSize(data.cropSize), scaledTargets: false };
  const method = pretextMethod(network, batch, config);
  requireStepMemory('pre-training step', pretrainingBytes(network, method, batch));
  return measure(batch.size, {
    specs: taughtParameters(network, method),
    inputs: method.inputs,
    fed: (step) => method.corruption(0, step),
    precision,
    optimizer: train,
    threads: train.threads,
    losses: (inputs, parameters) => method.losses(inputs, parameters, true),
  });
}

/** As `measurePretrainingStep`, of fine-tuning with one item a batch. */
export async function measureFinetuningStep(settings: FinetuneSettings, channels: number, scheme: LabelScheme): Promise<MeasuredStep> {
  const { data, train, precision } = settings;
  const network = segmentationNetwork(settings.network, channels, scheme);
  const crop = spatialSize(data.cropSize);
  requireStepMemory('fine-tuning step', network.encoderBytes(1, crop));
  const targets = segmentationTargets(scheme, 1, crop);
  const labels = new Int32Array(crop[0] * crop[1] * crop[2]);
  return measure(1, {
    specs: network.specs,
    inputs: { images: { shape: [1, ...crop, channels], dtype: 'float32' }, targets: targets.input },
    fed: () => ({ targets: targets.of(labels) }),
    precision,
    optimizer: train,
    threads: train.threads,
    losses: (inputs, parameters) => segmentationLoss(network, scheme, inputs, parameters),
  });
}

/** One step after a first one, which also optimises the graph. */
async function measure(batch: number, step: Omit<TimedStep, 'name'>): Promise<MeasuredStep> {
  const { stepMs, peakBytes } = await timeSteps({ name: 'measured step', ...step }, { warmUp: 1, steps: 1 });
  return { batch, seconds: (stepMs[0] as number) / 1000, peakBytes };
}
