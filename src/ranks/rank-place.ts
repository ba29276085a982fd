import { z } from 'zod';
import { UsageError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { type Environment, starterOf } from './starters.js';

/** The place of this process among the ranks of a run, as it was started. */
export interface RankPlace {
  /** From 0. */
  readonly rank: number;
  readonly ranks: number;
  /** Among those of this machine, from 0; undefined where nobody says. */
  readonly localRank: number | undefined;
  /** How many there are on this machine, at least; 1 where nobody says. */
  readonly localRanks: number;
  /** The port of TensorFlow's server of this rank; undefined: one that is free. */
  readonly ownPort: number | undefined;
  /** `host:port` by which the others reach that server; undefined: the port, at the address that the others see. */
  readonly ownAddress: string | undefined;
  /** Where rank 0 waits for the others. */
  readonly host: string;
  readonly port: number;
  /** What the ranks of a run have in common and others do not know; empty where none is given. */
  readonly token: string;
  /** Seconds within which all ranks must have come. */
  readonly patience: number;
}

const whole = z
  .string()
  .regex(/^\d{1,7}$/)
  .transform(Number);

const port = whole.refine((port) => port >= 1 && port <= 65_535);

const place = z.object({
  rank: whole,
  ranks: whole.refine((ranks) => ranks >= 1),
  localRank: whole.optional(),
  localRanks: whole.refine((ranks) => ranks >= 1).default(1),
  ownPort: port.optional(),
  ownAddress: z
    .string()
    .regex(/^[^\s:]+:\d{1,5}$/)
    .optional(),
  host: z.string().min(1),
  port: port.default(29_500),
  token: z.string().default(''),
  patience: whole.refine((seconds) => seconds >= 1).default(120),
});

/** The variables of every starter. */
const common = {
  host: 'MASTER_ADDR',
  port: 'MASTER_PORT',
  token: 'HYBRIDMIM_TOKEN',
  patience: 'HYBRIDMIM_PATIENCE',
  ownPort: 'HYBRIDMIM_PORT',
  ownAddress: 'HYBRIDMIM_ADDRESS',
} as const;

/**
 * The place of this process as its environment tells it: in torchrun's variables, Slurm's or Kubernetes'; undefined where it
 * is alone. Slurm's count only beside MASTER_ADDR: every shell of an allocation has them.
 * @throws UsageError for variables that are no place
 */
export function rankPlaceOf(environment: Environment): RankPlace | undefined {
  const starter = starterOf(environment);
  if (!starter) {
    if (environment.RANK !== undefined)
      throw new UsageError('RANK is set, but WORLD_SIZE is not: set both, or neither for a process alone', {
        field: 'WORLD_SIZE',
      });
    return undefined;
  }
  if (environment[starter.ranks] === '1' && environment[starter.rank] === '0') return undefined;
  const names: Readonly<Record<string, string>> = { ...common, ...starter };
  const found = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, environment[name]]));
  const parsed = place.safeParse(found);
  if (!parsed.success) {
    const { field: key } = firstIssue(parsed.error);
    const [field, value] = [names[key] ?? key, found[key]];
    const expected = expectations[key] ?? 'a whole number';
    throw new UsageError(
      value === undefined
        ? `${starter.rank} and ${starter.ranks} say that this is one rank of several, but ${field} is not set: set it to ${expected}`
        : `${field} is "${value}", but must be ${expected}`,
      { field, found: value },
    );
  }
  const { rank, ranks } = parsed.data;
  if (rank < ranks) {
    const { localRank, ownPort, ownAddress } = parsed.data;
    // Ranks of one machine have the ports one after the other.
    const portHere = ownPort === undefined ? undefined : ownPort + (localRank ?? 0);
    return { ...parsed.data, localRank, ownPort: portHere, ownAddress };
  }
  throw new UsageError(
    `${starter.rank} is ${rank}, but ${starter.ranks} is ${ranks}: ranks go from 0 to ${ranks - 1}`,
    { field: starter.rank, found: rank },
  );
}

const expectations: Readonly<Record<string, string>> = {
  host: 'the address of rank 0, which the others can reach',
  port: 'a port from 1 to 65535',
  ownPort: 'a port from 1 to 65535',
  ownAddress: 'host:port',
  ranks: 'a whole number of at least 1',
  localRanks: 'a whole number of at least 1',
  patience: 'a whole number of seconds, at least 1',
};

/**
 * The one GPU that a rank computes on, as CUDA_VISIBLE_DEVICES names it: of those of its machine, or of those that it was
 * given, the one of its place there; undefined where nothing is to be changed.
 */
export function ownDevice(
  { localRank }: Pick<RankPlace, 'localRank'>,
  visible: string | undefined,
): string | undefined {
  if (localRank === undefined) return undefined;
  if (visible === undefined) return String(localRank);
  const given = visible.split(',').filter(Boolean);
  return given.length > 1 ? given[localRank % given.length] : undefined;
}
