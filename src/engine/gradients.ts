import './reduction-gradients.js';
import tf, { type Scalar, type Tensor, type Variable } from './tf.js';

/** A loss by its terms; `total` is what is differentiated, the others come along to be looked at. */
export type LossTerms = Readonly<Record<string, Scalar>> & { readonly total: Scalar };

/**
 * The terms of a loss, and the gradient of its total with respect to each variable, keyed as `variables` is.
 * A variable that the total does not reach gets no entry.
 */
export function lossAndGradients<T extends LossTerms>(
  loss: () => T,
  variables: Readonly<Record<string, Variable>>,
): { terms: T; gradients: Record<string, Tensor> } {
  let kept: Record<string, Scalar> = {};
  const { value, grads } = tf.variableGrads(() => {
    const terms = loss();
    // Kept, because they end with the tape else.
    kept = Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, tf.keep(term.clone())]));
    return terms.total;
  }, Object.values(variables));
  value.dispose();
  const terms = Object.fromEntries(Object.entries(kept).map(([name, term]) => [name, released(term)]));
  const entries = Object.entries(variables).map(([name, variable]) => [name, grads[variable.name]] as const);
  return {
    terms: terms as T,
    gradients: Object.fromEntries(
      entries.flatMap(([name, gradient]) => (gradient == null ? [] : [[name, gradient]])),
    ),
  };
}

/** A kept tensor as one that the present scope disposes of. */
function released(kept: Scalar): Scalar {
  const scoped = kept.clone();
  kept.dispose();
  return scoped;
}
