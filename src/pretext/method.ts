import { z } from 'zod';
import type { InputSpecs, InputValues, LossTerms, Tensor5D } from '../engine/index.js';
import type { ParameterSpec, Parameters, SpatialSize, StepInputs } from '../network/index.js';

/** The batch that a method is set up for. */
export interface PretextBatch {
  readonly size: number;
  /** [depth, height, width] voxels. */
  readonly crop: SpatialSize;
  /**
   * Targets are `clip(image * scale + shift, 0, 1)` per item and channel, 0 where the image is 0
   * (MR background); else the image itself.
   */
  readonly scaledTargets: boolean;
}

/**
 * What a method is after, what it was shown of it and what it made of that, for pictures: [B, D, H, W, C]
 * each, all on the target's scale.
 */
export interface Reconstruction {
  /** What the loss compares the prediction with. */
  readonly target: Tensor5D;
  /** Masked voxels are 0. */
  readonly seen: Tensor5D;
  /** Visible voxels, and those beyond a target region, are as in `seen`. */
  readonly prediction: Tensor5D;
}

/** A self-supervised method as its heads, what it feeds beside the images, and its losses. */
export interface PretextMethod {
  readonly name: string;
  /**
   * Loss, by task, of a network that has learned nothing of the images, where that is known beforehand: above
   * it a task teaches nothing yet.
   */
  readonly chance?: Readonly<Record<string, number>>;
  /** Parameters of its heads; their names begin with `pretext.`. */
  readonly heads: readonly ParameterSpec[];
  /**
   * Inputs of a step. `images` [B, D, H, W, C] is one of them, `corrupted` another where the loader's workers
   * corrupt.
   */
  readonly inputs: InputSpecs;
  /** The decoder is neither used nor kept: fine-tuning begins with a new one. */
  readonly encoderOnly?: boolean;
  /** Share of a crop that goes through the encoder, above 0; absent: all of it. */
  readonly encodedShare?: number;
  /** What is fed at `step` beside what the loader gives: a function of seed and step alone. */
  corruption(seed: number, step: number): InputValues;
  /**
   * `total` and each of its terms before weighting; a task that is switched off is absent and costs nothing.
   */
  losses(inputs: StepInputs, parameters: Parameters, training: boolean): LossTerms;
  /** One pass without dropout. */
  reconstruct(inputs: StepInputs, parameters: Parameters): Reconstruction;
}

/** Every head's parameters begin so; fine-tuning leaves them out. */
export const pretextPrefix = 'pretext.';

/** A whole number of voxels. */
export const voxels = z.int().min(1);

/** A share that is neither nothing nor all. */
export const openShare = z.number().gt(0).lt(1);

/** A method's settings as its maker takes them: those of its schema, without the name that chose it. */
export type MethodSettings<S extends z.ZodObject> = Readonly<Omit<z.output<S>, 'name'>>;
