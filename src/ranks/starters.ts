/** Who starts ranks, and the names by which it tells each of them its place. */
export const starters = [
  { rank: 'RANK', ranks: 'WORLD_SIZE', localRank: 'LOCAL_RANK', localRanks: 'LOCAL_WORLD_SIZE' }, // torchrun, and `--ranks`
  { rank: 'SLURM_PROCID', ranks: 'SLURM_NTASKS', localRank: 'SLURM_LOCALID' },
  { rank: 'JOB_COMPLETION_INDEX', ranks: 'WORLD_SIZE' }, // Kubernetes
] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Who started this process as a rank; undefined where nobody did. Slurm's variables count only beside MASTER_ADDR: every
 * shell of an allocation has them.
 */
export const starterOf = (environment: Environment): (typeof starters)[number] | undefined =>
  starters.find(
    ({ rank, ranks }) =>
      environment[rank] !== undefined &&
      environment[ranks] !== undefined &&
      (rank !== 'SLURM_PROCID' || environment.MASTER_ADDR !== undefined),
  );
