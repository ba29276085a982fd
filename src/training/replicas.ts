import {
  after,
  drawnFrom,
  type InputSpecs,
  type InputValues,
  type LossTerms,
  lossAndGradients,
  type Scalar,
  type Tensor,
  type Variable,
} from '../engine/index.js';
import { stepSeed } from '../random/streams.js';

/**
 * Which replicas of a step a process computes. A step is made of `all` replicas, each a batch of its own, with dropout and
 * losses of its own, as each GPU of the authors has; their gradients are averaged.
 */
export interface ReplicaShare {
  readonly all: number;
  /** The first one that is computed here, from 0. */
  readonly first: number;
  /** How many are computed here, one after the other. */
  readonly here: number;
}

/** All replicas in one process. */
export const allReplicas = (all: number): ReplicaShare => ({ all, first: 0, here: all });

/**
 * The number of a batch among those of all steps, from 0: crops, masks and dropout of a replica follow from it alone,
 * whichever process computes it.
 * @param replica of those that are computed here, from 0
 */
export const batchNumber = ({ all, first }: ReplicaShare, step: number, replica: number): number =>
  step * all + first + replica;

/** The number of the `asked`-th batch that a process needs, from 0. */
export const batchAsked = (share: ReplicaShare, asked: number): number =>
  batchNumber(share, Math.floor(asked / share.here), asked % share.here);

/** Losses and gradients of a step. */
export interface LossesAndGradients {
  readonly terms: LossTerms;
  readonly gradients: Readonly<Record<string, Tensor>>;
}

const seedName = 'seed';
const inputName = (name: string, replica: number): string =>
  replica === 0 ? name : `${name} of replica ${replica + 1}`;

/** The inputs of a step that computes `here` replicas: those of the first have their own names. */
export function replicatedInputs(inputs: InputSpecs, here: number): InputSpecs {
  const others = Array.from({ length: here - 1 }, (_, i) => i + 1).flatMap((replica) =>
    Object.entries({ ...inputs, [seedName]: { shape: [], dtype: 'int32' } as const }).map(
      ([name, spec]) => [inputName(name, replica), spec] as const,
    ),
  );
  return { ...inputs, ...Object.fromEntries(others) };
}

/**
 * What such a step is fed.
 * @param ofReplica inputs of a replica of those here, from 0
 * @returns its inputs, and the seed of the first replica, which the step itself takes
 */
export function replicatedValues(
  share: ReplicaShare,
  seed: number,
  step: number,
  ofReplica: readonly InputValues[],
): { readonly inputs: InputValues; readonly seed: number } {
  const seedOf = (replica: number) => stepSeed(seed, batchNumber(share, step, replica));
  const inputs = ofReplica.flatMap((values, replica) => {
    const own = Object.entries(values).map(([name, value]) => [inputName(name, replica), value] as const);
    return replica === 0
      ? own
      : [...own, [inputName(seedName, replica), Int32Array.of(seedOf(replica))] as const];
  });
  return { inputs: Object.fromEntries(inputs), seed: seedOf(0) };
}

/** Adds what `of` gives for 0 to before `count`. */
export type SumOfReplicas = (
  count: number,
  of: (replica: number) => LossesAndGradients,
) => LossesAndGradients;

/**
 * Sums of the losses and gradients over the replicas that are computed here, one replica after the other: each waits for
 * the gradients of the one before, so that the activations of one alone are kept.
 * @param sum the order in which they are added
 */
export function summedOverReplicas(
  here: number,
  sum: SumOfReplicas,
  losses: (inputs: Readonly<Record<string, Tensor>>) => LossTerms,
  fed: Readonly<Record<string, Tensor>>,
  inputs: readonly string[],
  parameters: Readonly<Record<string, Variable>>,
): LossesAndGradients {
  let earlier: Tensor | undefined;
  const ofReplica = (replica: number): LossesAndGradients => {
    const taken = (name: string): Tensor => {
      const value = fed[inputName(name, replica)];
      if (!value) throw new Error(`the step has no input ${inputName(name, replica)}`);
      return earlier ? after(value, earlier) : value;
    };
    const own = Object.fromEntries(inputs.map((name) => [name, taken(name)]));
    const found = () => lossAndGradients(() => losses(own), parameters);
    const one = replica === 0 ? found() : drawnFrom(taken(seedName) as Scalar, found);
    earlier = Object.values(one.gradients)[0] ?? one.terms.total;
    return one;
  };
  return sum(here, ofReplica);
}

/** In pairs: the order of `train.reduction: exact`. */
export const sumInPairs: SumOfReplicas = (count, of) => pairwise(count, of, added);

/**
 * The sum of `count` values in a fixed order: of two halves while the number is even, else one after the other. So it is
 * the same whether one process takes all of them, or 2, 4, 8 ... processes a part each and add those in pairs.
 */
export function pairwise<T>(count: number, of: (index: number) => T, add: (a: T, b: T) => T, first = 0): T {
  if (count % 2 === 0) {
    const half = count / 2;
    const before = pairwise(half, of, add, first);
    return add(before, pairwise(half, of, add, first + half));
  }
  let sum = of(first);
  for (let i = 1; i < count; i++) sum = add(sum, of(first + i));
  return sum;
}

function added(a: LossesAndGradients, b: LossesAndGradients): LossesAndGradients {
  return {
    terms: addedByName(a.terms, b.terms) as LossTerms,
    gradients: addedByName(a.gradients, b.gradients),
  };
}

function addedByName<T extends Tensor>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(a).map(([name, value]) => {
      const other = b[name];
      if (!other) throw new Error(`one replica has ${name}, but another has not`);
      return [name, value.add(other)];
    }),
  );
}

/** The mean over all replicas, from their sum. */
export function meanOverReplicas({ terms, gradients }: LossesAndGradients, all: number): LossesAndGradients {
  if (all === 1) return { terms, gradients };
  const divided = (sums: Readonly<Record<string, Tensor>>) =>
    Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum.div(all)]));
  return { terms: divided(terms) as LossTerms, gradients: divided(gradients) };
}
