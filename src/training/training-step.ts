import {
  type ClusterMember,
  type CompiledStep,
  compile,
  type InputSpecs,
  type LossTerms,
  type Precision,
  type Reduction,
  type Scalar,
  type State,
  type Tensor,
  type Variable,
  zeroUnlessFinite,
} from '../engine/index.js';
import type { ParameterSpec, Parameters } from '../network/index.js';
import { adamW, globalNorm, isMoment, optimizerInputs, scaledToNorm } from './adamw.js';
import {
  allReplicas,
  meanOverReplicas,
  type ReplicaShare,
  replicatedInputs,
  type SumOfReplicas,
  sumInPairs,
  summedOverReplicas,
} from './replicas.js';
import { sumsInRing, sumsOfRanks } from './step-ranks.js';

export interface OptimizerSettings {
  readonly weightDecay: number;
  /** false leaves vectors (norms and biases) undecayed; PyTorch's AdamW decays all. */
  readonly decayNormsAndBiases: boolean;
  /** Largest norm of all gradients together; null: not clipped. */
  readonly clipNorm: number | null;
  /** Above 0, a step that is not finite counts as one with gradients of 0 and a rate of 0, whoever counts them. */
  readonly notFiniteSteps: number;
}

export interface TrainingStepOptions {
  readonly name: string;
  readonly specs: readonly ParameterSpec[];
  /** Of one replica. */
  readonly inputs: InputSpecs;
  /** The replicas that are computed here; absent: one, which is all. */
  readonly replicas?: ReplicaShare;
  /** This process among the ranks that compute the other replicas; absent: it is alone. */
  readonly member?: ClusterMember | undefined;
  /** How ranks, or replicas where the process is alone, are added; absent: `exact`. */
  readonly reduction?: Reduction | undefined;
  readonly state: State;
  readonly precision: Precision;
  readonly optimizer: OptimizerSettings;
  /** The learning rate of a parameter as a share of the step's; absent: all of it. A share of 0 leaves it as it is. */
  rateShare?(parameter: string): number;
  losses(inputs: Readonly<Record<string, Tensor>>, parameters: Parameters): LossTerms;
}

/**
 * One training step as one compiled function: forward and gradients of each replica, AdamW on their mean. It returns the
 * mean loss terms and the norm of all mean gradients (before clipping), and takes the learning rate and Adam's bias
 * corrections as inputs, beside those of `replicatedInputs`. Among several ranks it also takes `stopping`, 1 where this rank
 * is to stop, and returns its sum.
 */
export function compileTrainingStep({
  name,
  specs,
  inputs,
  replicas = allReplicas(1),
  member,
  reduction = 'exact',
  state,
  precision,
  optimizer,
  rateShare,
  losses,
}: TrainingStepOptions): CompiledStep {
  const step = (fed: Readonly<Record<string, Tensor>>, variables: Readonly<Record<string, Variable>>) => {
    const parameters = Object.fromEntries(
      Object.entries(variables).filter(([variable]) => !isMoment(variable)),
    );
    const here = summedOverReplicas(
      replicas.here,
      reduction === 'fast' && !member ? inRing : sumInPairs,
      (own) => losses(own, parameters),
      fed,
      Object.keys(inputs),
      parameters,
    );
    const { stopping, ...sums } = member
      ? sumsOfRanks(here, fed.stopping as Tensor, member, reduction)
      : { ...here, stopping: undefined };
    const { terms, gradients } = meanOverReplicas(sums, replicas.all);
    const gradientNorm = globalNorm(Object.values(gradients));
    const used =
      optimizer.clipNorm === null ? gradients : scaledToNorm(gradients, gradientNorm, optimizer.clipNorm);
    const whole = optimizer.notFiniteSteps > 0 ? (terms.total.add(gradientNorm) as Scalar) : undefined;
    const passedOver = <T extends Tensor>(value: T): T => (whole ? zeroUnlessFinite(value, whole) : value);
    const learningRate = passedOver(fed.learningRate as Scalar);
    for (const { name: parameter, layout } of specs) {
      const gradient = used[parameter];
      const share = rateShare?.(parameter) ?? 1;
      if (!gradient || share === 0) continue;
      const decays = optimizer.decayNormsAndBiases || layout !== 'vector';
      adamW(parameter, variables, passedOver(gradient), {
        learningRate: share === 1 ? learningRate : (learningRate.mul(share) as Scalar),
        correction1: fed.correction1 as Scalar,
        correction2: fed.correction2 as Scalar,
        weightDecay: decays ? optimizer.weightDecay : 0,
      });
    }
    return { ...terms, gradientNorm, ...(stopping && { stopping }) };
  };
  return compile(step, {
    name,
    inputs: {
      ...replicatedInputs(inputs, replicas.here),
      ...optimizerInputs,
      ...(member && { stopping: { shape: [], dtype: 'float32' } }),
    },
    state,
    precision,
  });
}

/** As many ranks would do it. Two add as pairs do, and need not be kept side by side. */
const inRing: SumOfReplicas = (count, of) =>
  count > 2 ? sumsInRing(Array.from({ length: count }, (_, replica) => of(replica))) : sumInPairs(count, of);
