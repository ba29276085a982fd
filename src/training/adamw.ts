import {
  adamUpdate,
  addInOrder,
  after,
  halfSumOfSquares,
  type InputSpecs,
  momentRate,
  type NamedArrays,
  type Scalar,
  type Tensor,
  tf,
  type Variable,
} from '../engine/index.js';
import { elementCount, type ParameterSpec } from '../network/index.js';

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-8;

const firstPrefix = 'optimizer.first.';
const secondPrefix = 'optimizer.second.';

/** Whether a state variable is one of the optimizer's, not a parameter. */
export const isMoment = (name: string): boolean =>
  name.startsWith(firstPrefix) || name.startsWith(secondPrefix);

/** Names of both moments of each parameter. */
export const momentNames = (parameters: readonly string[]): string[] =>
  parameters.flatMap((name) => [firstPrefix + name, secondPrefix + name]);

/**
 * Zeroed first and second moments of every parameter, under the names that the optimizer looks for; all are
 * views of one array of zeros.
 */
export function zeroMoments(specs: readonly ParameterSpec[]): NamedArrays {
  const zeros = new Float32Array(Math.max(0, ...specs.map(({ shape }) => elementCount(shape))));
  const moment = ({ shape }: ParameterSpec) => ({ shape, data: zeros.subarray(0, elementCount(shape)) });
  return Object.fromEntries(
    specs.flatMap((spec) => momentNames([spec.name]).map((name) => [name, moment(spec)])),
  );
}

/** What a step is fed for the optimizer, all scalars. */
export const optimizerInputs = {
  learningRate: { shape: [], dtype: 'float32' },
  correction1: { shape: [], dtype: 'float32' },
  correction2: { shape: [], dtype: 'float32' },
} as const satisfies InputSpecs;

/**
 * Adam's bias corrections at update `t`, from 1: 1 - beta^t and the root of the second's, in double precision
 * as PyTorch takes them.
 */
export function correctionsAt(t: number): { correction1: Float32Array; correction2: Float32Array } {
  const [correction1, correction2] = [BETA_1, BETA_2].map((beta) => 1 - (1 - momentRate(beta)) ** t) as [
    number,
    number,
  ];
  return { correction1: Float32Array.of(correction1), correction2: Float32Array.of(Math.sqrt(correction2)) };
}

export interface AdamWInputs {
  readonly learningRate: Scalar;
  /** 1 - beta1^t */
  readonly correction1: Scalar;
  /** sqrt(1 - beta2^t) */
  readonly correction2: Scalar;
  readonly weightDecay: number;
}

/**
 * AdamW (Loshchilov & Hutter 2019) as PyTorch orders it, for one parameter of the state; changes the
 * parameter and its moments: p <- (1 - lr wd) p; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; p <- p -
 * lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps) The root's correction is multiplied out into step
 * size and epsilon.
 */
export function adamW(
  name: string,
  variables: Readonly<Record<string, Variable>>,
  gradient: Tensor,
  inputs: AdamWInputs,
): void {
  const { learningRate, correction1, correction2, weightDecay } = inputs;
  const [parameter, first, second] = [name, firstPrefix + name, secondPrefix + name].map(
    (key) => variables[key],
  ) as [Variable, Variable, Variable];
  if (weightDecay !== 0) {
    const kept = tf.scalar(1).sub(learningRate.mul(weightDecay));
    parameter.assign(after<Tensor>(parameter, gradient).mul(kept) as Variable);
  }
  const stepSize = learningRate.mul(correction2).div(correction1) as Scalar;
  adamUpdate({ parameter, first, second }, gradient, {
    beta1: BETA_1,
    beta2: BETA_2,
    stepSize,
    epsilon: correction2.mul(EPSILON) as Scalar,
  });
}

/** Euclidean norm of all gradients together. */
export function globalNorm(gradients: readonly Tensor[]): Scalar {
  return addInOrder(gradients.map(halfSumOfSquares)).mul(2).sqrt() as Scalar;
}

/** Gradients scaled down so that their norm together is at most `largest`, as PyTorch's `clip_grad_norm_`. */
export function scaledToNorm(
  gradients: Readonly<Record<string, Tensor>>,
  norm: Scalar,
  largest: number,
): Record<string, Tensor> {
  const factor = tf.scalar(largest).div(norm.add(1e-6)).minimum(1);
  return Object.fromEntries(
    Object.entries(gradients).map(([name, gradient]) => [name, gradient.mul(factor)]),
  );
}
