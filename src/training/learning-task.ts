import type { CropBatch } from '../dataset/index.js';
import type {
  GreyPicture,
  InputSpecs,
  InputValues,
  LossTerms,
  Precision,
  State,
  Tensor,
} from '../engine/index.js';
import type { Network, ParameterSpec, Parameters } from '../network/index.js';
import type { Validation } from './loop.js';

/**
 * A thing to learn: all that a run, a measurement and an estimate need to know of it, whatever the method.
 * Makers are `pretrainingTask` (every pre-training method, and TransVW's auto-encoder of words) and
 * `segmentationTask` (fine-tuning).
 */
export interface LearningTask {
  /** What its step is called in errors and logs, such as `pre-training step`. */
  readonly name: string;
  readonly network: Network;
  /** What is trained: of the network, and of the heads that the task adds. */
  readonly parameters: readonly ParameterSpec[];
  /** What a step is fed: `images` [B, D, H, W, C], and what else the losses ask for. */
  readonly inputs: InputSpecs;
  /** Bytes that a step keeps of the encoder for its gradients: the least that it needs. */
  readonly activationBytes: number;
  /** Loss, by term, of a network that has learned nothing of the images, where that is known beforehand. */
  readonly chance?: Readonly<Record<string, number>> | undefined;
  /** The learning rate of a parameter as a share of the run's; absent: all of it. A share of 0 leaves it as it is. */
  rateShare?(parameter: string): number;
  /** `total` and its terms, with dropout where `training`. */
  losses(inputs: Readonly<Record<string, Tensor>>, parameters: Parameters, training: boolean): LossTerms;
  /** A batch of the loader as the inputs of a step. */
  inputsOf(crops: CropBatch, step: number): InputValues;
  /** The inputs of a step that are no crops, for steps that are only timed; the others are then random. */
  inputsBesideCrops(step: number): InputValues;
  /** What is validated over the state of a run; absent where nothing is. */
  openValidation?(state: State, precision: Precision): () => Promise<Validation>;
  /** What is pictured with every checkpoint; absent where there is nothing to see. */
  openPicture?(state: State, precision: Precision): () => Promise<GreyPicture>;
}
