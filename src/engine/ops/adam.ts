import { attribute, float32Attribute } from '../native-backend.js';
import tf, { type Scalar, type Tensor, type Variable } from '../tf.js';
import { updateWriter } from '../variable-update.js';

/** A parameter and its moments, all of one shape. */
export interface AdamVariables {
  readonly parameter: Variable;
  readonly first: Variable;
  readonly second: Variable;
}

export interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  /** Both may carry corrections for the moments' start at 0. */
  readonly stepSize: Scalar;
  readonly epsilon: Scalar;
}

/**
 * What a moment moves towards the present gradient: 1 - beta as TensorFlow's kernel takes it, from beta in
 * float32. For 0.999 it is 1.3e-5 less than 0.001, which is to be minded where moments are corrected for
 * their start.
 */
export const momentRate = (beta: number): number => Math.fround(1 - Math.fround(beta));

/**
 * Adam's update (Kingma & Ba 2015) without corrections: m <- m + (1 - b1) (g - m); v <- v + (1 - b2) (g^2 -
 * v); p <- p - stepSize m / (sqrt(v) + epsilon). In a trace it is one op that changes all three where they
 * lie, in one pass over memory.
 */
export function adamUpdate(
  { parameter, first, second }: AdamVariables,
  gradient: Tensor,
  settings: AdamSettings,
): void {
  const { beta1, beta2, stepSize, epsilon } = settings;
  const write = updateWriter.current();
  if (write) {
    const attributes = [
      float32Attribute(),
      attribute.bool('use_locking', false),
      attribute.bool('use_nesterov', false),
    ];
    const noPower = tf.scalar(0); // the op's own corrections, by powers of the betas, become 1
    write(
      'ResourceApplyAdam',
      attributes,
      [parameter, first, second],
      [noPower, noPower, stepSize, tf.scalar(beta1), tf.scalar(beta2), epsilon, gradient],
    );
    return;
  }
  const m = first.add(gradient.sub(first).mul(momentRate(beta1)));
  const v = second.add(gradient.square().sub(second).mul(momentRate(beta2)));
  first.assign(m);
  second.assign(v);
  parameter.assign(parameter.sub(m.mul(stepSize).div(v.sqrt().add(epsilon))));
}
