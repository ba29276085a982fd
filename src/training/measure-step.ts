import type { Precision } from '../engine/index.js';
import { labelScheme } from '../inference/index.js';
import type { Network, SpatialSize } from '../network/index.js';
import type { PretextMethod } from '../pretext/index.js';
import { segmentationLoss } from './finetune.js';
import { taughtParameters } from './pretrain.js';
import { segmentationTargets } from './segmentation-targets.js';
import { type StepTimes, type TimedStep, timeSteps } from './time-steps.js';

interface MeasureOptions {
  readonly network: Network;
  readonly precision: Precision;
  /** Of one op; 0: one a core. */
  readonly threads: number;
  /** Steps that count, after two that do not. */
  readonly steps: number;
}

export interface MeasuredSteps extends StepTimes {
  /** As in `StepTimes`; where the system does not say, what Node says, which begins with the peak of the process that started this one. */
  readonly peakBytes: number;
}

const WARM_UP = 2;
const optimizer = { weightDecay: 1e-5, decayNormsAndBiases: true, clipNorm: null };

/** Times the steps of a pre-training on random crops. */
export async function measureSteps({ method, ...options }: MeasureOptions & { readonly method: PretextMethod }): Promise<MeasuredSteps> {
  return measured(options, {
    name: `${method.name} step`,
    specs: taughtParameters(options.network, method),
    inputs: method.inputs,
    fed: (step) => method.corruption(0, step),
    losses: (inputs, parameters) => method.losses(inputs, parameters, true),
  });
}

/**
 * Times the steps of supervised training (Dice + cross-entropy over `classes` classes and the background) on random images, whose labels
 * repeat the classes voxel by voxel.
 * @param crop of the batch: [depth, height, width] voxels
 */
export async function measureSegmentationSteps({
  batch,
  crop,
  channels,
  classes,
  ...options
}: MeasureOptions & {
  readonly batch: number;
  readonly crop: SpatialSize;
  readonly channels: number;
  readonly classes: number;
}): Promise<MeasuredSteps> {
  const scheme = labelScheme(Object.fromEntries(Array.from({ length: classes }, (_, i) => [`${i + 1}`, `class ${i + 1}`])));
  const targets = segmentationTargets(scheme, batch, crop);
  const labels = Int32Array.from({ length: batch * crop[0] * crop[1] * crop[2] }, (_, i) => i % (classes + 1));
  return measured(options, {
    name: `${options.network.name} step`,
    specs: options.network.specs,
    inputs: { images: { shape: [batch, ...crop, channels], dtype: 'float32' }, targets: targets.input },
    fed: () => ({ targets: targets.of(labels) }),
    losses: (inputs, parameters) => segmentationLoss(options.network, scheme, inputs, parameters),
  });
}

async function measured(
  { precision, threads, steps }: MeasureOptions,
  step: Omit<TimedStep, 'precision' | 'threads' | 'optimizer'>,
): Promise<MeasuredSteps> {
  const times = await timeSteps({ ...step, precision, threads, optimizer }, { warmUp: WARM_UP, steps });
  return { ...times, peakBytes: times.peakBytes ?? process.resourceUsage().maxRSS * 1024 };
}
