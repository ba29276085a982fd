import type { InputSpecs, InputValues, LossTerms, Tensor } from '../engine/index.js';
import type { ParameterSpec, Parameters } from '../network/index.js';

/** A self-supervised method as its heads, what it feeds beside the images, and its losses. */
export interface PretextMethod {
  readonly name: string;
  /** Parameters of its heads; their names begin with `pretext.`. */
  readonly heads: readonly ParameterSpec[];
  /** Inputs of a step. `images` [B, D, H, W, C] is one of them. */
  readonly inputs: InputSpecs;
  /** What is fed at `step` beside the images: a function of seed and step alone. */
  corruption(seed: number, step: number): InputValues;
  /** `total` and each of its terms before weighting; a task that is switched off is absent and costs nothing. */
  losses(inputs: Readonly<Record<string, Tensor>>, parameters: Parameters, training: boolean): LossTerms;
}

/** Every head's parameters begin so; fine-tuning leaves them out. */
export const pretextPrefix = 'pretext.';
