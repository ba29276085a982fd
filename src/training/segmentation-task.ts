import type { LossTerms, Tensor, Tensor5D } from '../engine/index.js';
import { DataError } from '../errors.js';
import { type LabelScheme, outputChannels } from '../inference/index.js';
import { diceBinaryCrossEntropyLoss, diceCrossEntropyLoss } from '../losses/index.js';
import {
  isEncoderParameter,
  logitsOf,
  makeNetwork,
  type Network,
  type NetworkSettings,
  type Parameters,
  type SpatialSize,
} from '../network/index.js';
import type { LearningTask } from './learning-task.js';
import { ignoredTarget, segmentationTargets } from './segmentation-targets.js';

export interface SegmentationTaskOptions {
  readonly network: Network;
  readonly scheme: LabelScheme;
  readonly batchSize: number;
  /** [D, H, W] voxels. */
  readonly crop: SpatialSize;
  /** The encoder's learning rate as a share of the run's. */
  readonly encoderRate?: number;
}

/** The network of a segmentation task. */
export function segmentationNetwork(
  settings: NetworkSettings,
  inChannels: number,
  scheme: LabelScheme,
): Network {
  return makeNetwork(settings, { inChannels, outChannels: outputChannels(scheme) });
}

/** Supervised segmentation, as a thing to learn. */
export function segmentationTask({
  network,
  scheme,
  batchSize,
  crop,
  encoderRate = 1,
}: SegmentationTaskOptions): LearningTask {
  const targets = segmentationTargets(scheme, batchSize, crop);
  return {
    name: 'fine-tuning step',
    network,
    parameters: network.specs,
    inputs: {
      images: { shape: [batchSize, ...crop, network.inChannels], dtype: 'float32' },
      targets: targets.input,
    },
    activationBytes: network.encoderBytes(batchSize, crop),
    rateShare: (parameter) => (isEncoderParameter(network, parameter) ? encoderRate : 1),
    losses: (inputs, parameters, training) => segmentationLoss(network, scheme, inputs, parameters, training),
    inputsOf: ({ images, labels, provenance }) => {
      if (!labels)
        throw new DataError(
          `the crops of ${provenance.map(({ caseId }) => caseId).join(', ')} have no labels`,
        );
      return { images, targets: targets.of(labels) };
    },
    inputsBesideCrops: () => ({
      targets: targets.of(everyLabelInTurn(scheme, batchSize * crop[0] * crop[1] * crop[2])),
    }),
  };
}

/** Background and the label values of the scheme, the ignored one too, over and over. */
function everyLabelInTurn({ values, ignore }: LabelScheme, voxels: number): Int32Array {
  const labels = [0, ...values.flat(), ...(ignore === undefined ? [] : [ignore])];
  return Int32Array.from({ length: voxels }, (_, i) => labels[i % labels.length] ?? 0);
}

/**
 * Dice + cross-entropy for classes, Dice + binary cross-entropy for regions that overlap; over the voxels that are
 * not to be ignored.
 */
function segmentationLoss(
  network: Network,
  { kind, ignore }: LabelScheme,
  { images, targets }: Readonly<Record<string, Tensor>>,
  parameters: Parameters,
  training: boolean,
): LossTerms {
  const logits = logitsOf(network, images as never, parameters, { training, dropoutKey: 0 });
  const counted = ignore === undefined ? undefined : countedVoxels(kind, targets as never);
  const loss =
    kind === 'classes'
      ? diceCrossEntropyLoss(logits, targets as never, counted)
      : diceBinaryCrossEntropyLoss(logits, targets as never, counted);
  return { ...loss };
}

/** [B, D, H, W, 1] 1 where the targets are not to be ignored. */
export function countedVoxels(kind: LabelScheme['kind'], targets: Tensor): Tensor5D {
  const perVoxel =
    kind === 'classes' ? targets.expandDims(4) : targets.slice([0, 0, 0, 0, 0], [-1, -1, -1, -1, 1]);
  return perVoxel.notEqual(ignoredTarget).cast<Tensor5D>('float32');
}
