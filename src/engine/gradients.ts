import tf, { type Scalar, type Tensor, type Variable } from './tf.js';

/**
 * The loss and its gradient with respect to each variable, keyed as `variables` is.
 * A variable that the loss does not reach gets no entry.
 */
export function lossAndGradients(
  loss: () => Scalar,
  variables: Readonly<Record<string, Variable>>,
): { loss: Scalar; gradients: Record<string, Tensor> } {
  const { value, grads } = tf.variableGrads(loss, Object.values(variables));
  const entries = Object.entries(variables).map(([name, variable]) => [name, grads[variable.name]] as const);
  return { loss: value, gradients: Object.fromEntries(entries.filter((entry): entry is [string, Tensor] => entry[1] != null)) };
}
