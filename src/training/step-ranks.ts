import { itemAt } from '../at.js';
import {
  type ClusterMember,
  type Reduction,
  type Scalar,
  sumInRing,
  sumOverRanks,
  type Tensor,
  tf,
} from '../engine/index.js';
import type { LossesAndGradients } from './replicas.js';

const [ofGradient, ofTerm] = ['gradient ', 'loss '];

/**
 * The sums of losses, gradients and requests to stop over all ranks. Gradients go in the order in which the backward pass
 * gives them, the last layer first, so that the first are on their way while the others are computed; losses go last.
 */
export const sumsOfRanks = (
  here: LossesAndGradients,
  stopping: Tensor,
  member: ClusterMember,
  reduction: Reduction,
): LossesAndGradients & { readonly stopping: Tensor } =>
  withoutLabels(sumOverRanks(withLabels(here, stopping), member, reduction), here);

/** The sums over replicas that as many ranks would give on CPUs with `train.reduction: fast`, to the bit. */
export function sumsInRing(replicas: readonly LossesAndGradients[]): LossesAndGradients {
  const nobodyStops = tf.scalar(0);
  const { terms, gradients } = withoutLabels(
    sumInRing(replicas.map((replica) => withLabels(replica, nobodyStops))),
    itemAt(replicas, 0),
  );
  return { terms, gradients };
}

function withLabels({ terms, gradients }: LossesAndGradients, stopping: Tensor): Record<string, Tensor> {
  const labelled = (label: string, values: Readonly<Record<string, Tensor>>) =>
    Object.entries(values).map(([name, value]) => [label + name, value] as const);
  return {
    ...Object.fromEntries(labelled(ofGradient, gradients).reverse()),
    ...Object.fromEntries(labelled(ofTerm, terms)),
    stopping,
  };
}

function withoutLabels(sums: Readonly<Record<string, Tensor>>, { gradients }: LossesAndGradients) {
  const { total, ...others } = withLabel<Scalar>(sums, ofTerm);
  const { stopping } = sums;
  if (!total || !stopping) throw new Error('a step has no total loss, or nobody says whether to stop');
  return {
    terms: { ...others, total },
    // In their own order: the norm of all of them is a sum in that order.
    gradients: Object.fromEntries(
      Object.keys(gradients).flatMap((name) => {
        const sum = sums[ofGradient + name];
        return sum ? [[name, sum]] : [];
      }),
    ),
    stopping,
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
