import {
  type ClusterMember,
  type Reduction,
  type Scalar,
  sumOverRanks,
  type Tensor,
} from '../engine/index.js';
import type { LossesAndGradients } from './replicas.js';

/** The ranks that a step is shared among. */
export interface StepRanks {
  readonly member: ClusterMember;
  readonly reduction: Reduction;
}

const [ofGradient, ofTerm] = ['gradient ', 'loss '];

/**
 * The sums of losses, gradients and requests to stop over all ranks. Gradients go in the order in which the backward pass
 * gives them, the last layer first, so that the first are on their way while the others are computed; losses go last.
 */
export function sumsOfRanks(
  { terms, gradients }: LossesAndGradients,
  stopping: Tensor | undefined,
  { member, reduction }: StepRanks,
): LossesAndGradients & { readonly stopping: Tensor | undefined } {
  const labelled = (label: string, values: Readonly<Record<string, Tensor>>) =>
    Object.entries(values).map(([name, value]) => [label + name, value] as const);
  const given = {
    ...Object.fromEntries(labelled(ofGradient, gradients).reverse()),
    ...Object.fromEntries(labelled(ofTerm, terms)),
    ...(stopping && { stopping }),
  };
  const sums = sumOverRanks(given, member, reduction);
  const { total, ...others } = withLabel<Scalar>(sums, ofTerm);
  if (!total) throw new Error('a step has no total loss');
  return {
    terms: { ...others, total },
    // In their own order: the norm of all of them is a sum in that order.
    gradients: Object.fromEntries(
      Object.keys(gradients).flatMap((name) => {
        const sum = sums[ofGradient + name];
        return sum ? [[name, sum]] : [];
      }),
    ),
    stopping: sums.stopping,
  };
}

function withLabel<T extends Tensor>(
  sums: Readonly<Record<string, Tensor>>,
  label: string,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(sums).flatMap(([name, sum]) =>
      name.startsWith(label) ? [[name.slice(label.length), sum as T]] : [],
    ),
  );
}
