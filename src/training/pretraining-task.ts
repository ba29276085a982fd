import type { CropBatch } from '../dataset/index.js';
import { compile, type InputValues, type Precision, type State } from '../engine/index.js';
import { isEncoderParameter, type Network, type ParameterSpec } from '../network/index.js';
import type { PretextBatch, PretextMethod } from '../pretext/index.js';
import type { LearningTask } from './learning-task.js';
import type { Validation } from './loop.js';

export interface PretrainingTaskOptions {
  readonly network: Network;
  readonly method: PretextMethod;
  /** What the step is called; by default a pre-training step. */
  readonly name?: string;
  /** The batch that the method was made for. */
  readonly batch: PretextBatch;
  /** Of the method's corruption: what a step is fed depends on it and the step alone. */
  readonly seed: number;
  /**
   * What maps the input's values to those that the network reconstructs; absent where the input is the
   * target.
   */
  readonly scalesOf?: ((crops: CropBatch) => InputValues) | undefined;
}

/** A pre-training method on a network, as a thing to learn. */
export function pretrainingTask({
  name = 'pre-training step',
  network,
  method,
  batch,
  seed,
  scalesOf,
}: PretrainingTaskOptions): LearningTask {
  const { encodedShare = 1 } = method;
  return {
    name,
    network,
    parameters: trainableParameters(network, method),
    inputs: method.inputs,
    chance: method.chance,
    activationBytes: encodedShare * network.encoderBytes(batch.size, batch.crop),
    losses: (inputs, parameters, training) => method.losses(inputs, parameters, training),
    inputsOf: (crops, step) => ({
      images: crops.images,
      ...(crops.corrupted && { corrupted: crops.corrupted }),
      ...(crops.words && { words: crops.words }),
      ...method.corruption(seed, step),
      ...scalesOf?.(crops),
    }),
    inputsBesideCrops: (step) => method.corruption(seed, step),
  };
}

/** Parameters of a pre-training run: the network's, or those of its encoder, and the method's heads. */
export function trainableParameters(
  network: Network,
  { encoderOnly, heads }: PretextMethod,
): readonly ParameterSpec[] {
  const trained = encoderOnly
    ? network.specs.filter(({ name }) => isEncoderParameter(network, name))
    : network.specs;
  return [...trained, ...heads];
}

/**
 * Mean of every loss over held-out batches, without dropout and hence without contrast; the lower the total,
 * the better.
 */
export function heldOutValidation(
  task: LearningTask,
  batches: readonly InputValues[],
): (state: State, precision: Precision) => () => Promise<Validation> {
  return (state, precision) => {
    const step = compile((inputs, variables) => ({ ...task.losses(inputs, variables, false) }), {
      name: 'validation',
      inputs: task.inputs,
      state,
      precision,
    });
    return async () => {
      const values: Record<string, number> = {};
      for (const batch of batches) {
        const losses = await step.run(batch);
        for (const [name, [loss = Number.NaN]] of Object.entries(losses))
          values[name] = (values[name] ?? 0) + loss / batches.length;
      }
      return { values, score: -(values.total ?? Number.NaN) };
    };
  };
}
