import type { Argv } from 'yargs';
import { InterruptedError, UsageError } from '../errors.js';
import {
  type Lifeline,
  launchRanks,
  openLifeline,
  ownDevice,
  type RankPlace,
  rankPlaceOf,
} from '../ranks/index.js';
import type { Context } from './context.js';

/** Flags of commands that several processes may share. */
export interface RankFlags {
  readonly ranks: number | undefined;
  readonly 'private-network': boolean;
}

export const rankFlags = <F>(yargs: Argv<F>): Argv<F & RankFlags> =>
  yargs
    .option('ranks', {
      type: 'number',
      requiresArg: true,
      describe:
        'processes of this machine that share the replicas of a step, with a GPU each where there are any',
    })
    .option('private-network', {
      type: 'boolean',
      default: false,
      describe:
        'several ranks: the network is one that strangers cannot reach, as TensorFlow’s ports are open',
    });

/**
 * Runs the work of a command: in this process alone; as one of several ranks, as the environment says; or in as many
 * processes of this machine as `--ranks` asks for, which this one starts and waits for.
 * @param work gets what holds the ranks together; undefined where the process is alone
 * @throws UsageError for ranks without a private network, and what `work` throws
 */
export async function withRanks(
  flags: RankFlags,
  { terminal, endAtOnce }: Pick<Context, 'terminal' | 'endAtOnce'>,
  work: (lifeline: Lifeline | undefined) => Promise<void>,
): Promise<void> {
  const place = rankPlaceOf(process.env);
  if (place) return asRank(place, flags, endAtOnce, work);
  if (flags.ranks === undefined || flags.ranks === 1) return work(undefined);
  if (!Number.isInteger(flags.ranks) || flags.ranks < 1)
    throw new UsageError(`--ranks is ${flags.ranks}, but must be a whole number of at least 1`, {
      field: 'ranks',
      found: flags.ranks,
    });
  requirePrivateNetwork(flags, flags.ranks);
  const [, entry = '', ...args] = process.argv;
  const { exitCode } = await launchRanks({
    ranks: flags.ranks,
    entry,
    args,
    signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
    onLine: (line) => terminal.line(line),
  });
  process.exitCode = exitCode;
}

async function asRank(
  place: RankPlace,
  flags: RankFlags,
  endAtOnce: () => void,
  work: (lifeline: Lifeline) => Promise<void>,
): Promise<void> {
  requirePrivateNetwork(flags, place.ranks);
  const device = ownDevice(place, process.env.CUDA_VISIBLE_DEVICES);
  if (device !== undefined) process.env.CUDA_VISIBLE_DEVICES = device;
  const launcher = process.env.HYBRIDMIM_LAUNCHER;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3'; // it tells of broken connections at length, and knows no rank
  const lifeline = await openLifeline({
    ...place,
    ...(launcher !== undefined && { launcher: Number(launcher) }),
  });
  let isLost = false;
  lifeline.lost.catch(() => {
    isLost = true;
  });
  try {
    await work(lifeline);
    await lifeline.leave();
  } catch (error) {
    if (error instanceof InterruptedError) await lifeline.leave().catch(() => {});
    else if (isLost) lifeline.heard();
    else await lifeline.fail(error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    endAtOnce();
  }
}

function requirePrivateNetwork(flags: RankFlags, ranks: number): void {
  if (flags['private-network']) return;
  throw new UsageError(
    `${ranks} ranks reach one another through ports of TensorFlow that are open on all interfaces and ask nobody for a password: ` +
      'add --private-network where no stranger reaches them, as behind a firewall',
    { field: 'private-network' },
  );
}
