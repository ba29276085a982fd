import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type ClusterMember,
  type CompiledStep,
  compile,
  type Devices,
  fromFirstRank,
  joinCluster,
  type State,
  sumKeys,
  type Tensor,
  tf,
} from '../engine/index.js';
import { UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import { packageVersion } from '../package-version.js';
import type { Lifeline, Start } from '../ranks/index.js';
import type { ReplicaShare } from './replicas.js';
import { type RunConfig, sharedSettings } from './run-folder.js';
import type { TrainSettings } from './run-settings.js';

/**
 * The replicas that a rank computes; all of them where the process is alone.
 * @throws UsageError where the ranks do not divide them, or cannot add in pairs
 */
export function shareOfReplicas(
  { replicas, reduction, engine }: Pick<TrainSettings, 'replicas' | 'reduction' | 'engine'>,
  lifeline: Pick<Lifeline, 'rank' | 'ranks'> | undefined,
): ReplicaShare {
  if (!lifeline) return { all: replicas, first: 0, here: replicas };
  const { rank, ranks } = lifeline;
  if (replicas % ranks !== 0)
    throw new UsageError(
      `train.replicas is ${replicas}, which ${ranks} ranks do not divide: set it to a multiple of ${ranks}, or start as many ranks as divide it`,
      { field: 'train.replicas', found: replicas, expected: ranks },
    );
  if (reduction === 'exact' && !Number.isInteger(Math.log2(ranks)))
    throw new UsageError(
      `train.reduction is exact, which takes 2, 4, 8 ... ranks, but there are ${ranks}: set it to fast, or start another number of ranks`,
      { field: 'train.reduction', found: reduction, expected: 'fast' },
    );
  if (engine === 'eager')
    throw new UsageError('train.engine is eager, which runs in one process: set it to graph to use ranks', {
      field: 'train.engine',
      found: engine,
    });
  const here = replicas / ranks;
  return { all: replicas, first: rank * here, here };
}

/** The memory that a rank may take where several share a machine; undefined where this process is alone. */
export const memoryOfRank = (lifeline: Pick<Lifeline, 'localRanks'> | undefined): number | undefined =>
  lifeline && freeMemory() / lifeline.localRanks;

/** The settings of a run with the replicas of a step that are computed here alone. */
export const ofThisRank = <S extends { readonly train: { readonly replicas: number } }>(
  settings: S,
  { here }: ReplicaShare,
): S => ({ ...settings, train: { ...settings.train, replicas: here } });

/** What should be known of ranks that share the cores of a machine; undefined where nothing should. */
export function coresNote(
  { localRanks }: Pick<Lifeline, 'localRanks'>,
  threads: number,
  { kind, cores }: Pick<Devices, 'kind' | 'cores'>,
): string | undefined {
  if (kind === 'gpu' || localRanks === 1 || (threads > 0 && threads * localRanks <= cores)) return undefined;
  const each = Math.max(1, Math.floor(cores / localRanks));
  return (
    `${localRanks} ranks of this machine use ${threads || cores} threads each, but it has ${cores} cores: ` +
    `--set train.threads=${each} is faster`
  );
}

export interface GroupOptions {
  readonly lifeline: Lifeline;
  readonly config: RunConfig;
  readonly cases: readonly string[];
  readonly threads: number;
  /** What rank 0 tells the others. */
  readonly start?: Start;
}

/** The ranks of a run, all there and ready. */
export interface RankGroup {
  readonly member: ClusterMember;
  readonly start: Start;
}

/**
 * Waits for all ranks, and joins them.
 * @throws UsageError where one has other settings or cases; WorkError where one does not come
 */
export async function gatherRanks({
  lifeline,
  config,
  cases,
  threads,
  start,
}: GroupOptions): Promise<RankGroup> {
  const casesOf = createHash('sha256').update(cases.join('\n')).digest('hex').slice(0, 16);
  const facts = {
    ...sharedSettings(config),
    'version of hybridmim': packageVersion(),
    'list of cases': `${cases.length} with checksum ${casesOf}`,
  };
  const gathered = await lifeline.gather(facts, start);
  const { rank } = lifeline;
  return {
    member: joinCluster({ addresses: gathered.addresses, rank, threads }),
    start: gathered.start,
  };
}

/** Gives the state of every rank the values of rank 0. */
export async function takeFromFirst(state: State, { member }: RankGroup, lifeline: Lifeline): Promise<void> {
  const step = compile(
    (_, variables) => {
      const arrived: Tensor[] = [];
      for (const [i, variable] of Object.values(variables).entries()) {
        const value = fromFirstRank(variable as Tensor, member, sumKeys + i);
        if (member.rank !== 0) variable.assign(value);
        arrived.push(value.reshape([-1]).slice([0], [1]));
      }
      return { arrived: tf.concat(arrived) };
    },
    { name: 'first weights', inputs: {}, state, precision: 'float32' },
  );
  await untilLost(step.run({}), lifeline);
}

/** A step that ends with the sentence that names the lost rank, when one is lost while it waits for the others. */
export const stepOfRanks = (step: CompiledStep, lifeline: Lifeline): Pick<CompiledStep, 'run'> => ({
  run: (inputs, seed) => untilLost(step.run(inputs, seed), lifeline),
});

/** Seconds until the lifeline has noticed what broke a collective. */
const noticedWithin = 12;

/** TensorFlow tells that a collective broke, but not who is gone: the lifeline knows, at once or a little later. */
async function untilLost<T>(working: Promise<T>, { lost }: Lifeline): Promise<T> {
  try {
    return await Promise.race([working, lost]);
  } catch (error) {
    const waiting = new AbortController();
    // Waited for by the process too, which has nothing else to do and would end without a word.
    const late = wait(noticedWithin * 1000, undefined, { signal: waiting.signal });
    await Promise.race([lost, late]).finally(() => waiting.abort());
    throw error;
  }
}
