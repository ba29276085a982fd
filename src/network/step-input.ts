import type { Tensor } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { hasAxes, type TensorsByAxes } from './parameters.js';

/** What a step is fed, by name. */
export type StepInputs = Readonly<Record<string, Tensor>>;

/**
 * The input of a step under a name, as a tensor that is known to have so many axes.
 * @throws ShapeError when the step was not fed it, or was fed one with another number of axes
 */
export function stepInput<N extends keyof TensorsByAxes>(
  inputs: StepInputs,
  name: string,
  axes: N,
): TensorsByAxes[N] {
  const input = inputs[name];
  if (!input)
    throw new ShapeError(`the step needs an input named ${name}, which it was not fed`, { field: name });
  if (hasAxes(input, axes)) return input;
  throw new ShapeError(`the input ${name} of a step must have ${axes} axes, but has shape [${input.shape}]`, {
    field: name,
    found: input.shape,
    expected: axes,
  });
}
