/** Length of a run and of its warm-up, in steps. */
export interface Schedule {
  readonly steps: number;
  readonly warmupSteps: number;
  /** The learning rate at the end of the warm-up. */
  readonly peak: number;
}

export interface ScheduleSettings {
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
  readonly warmupSteps?: number | undefined;
  readonly warmupEpochs?: number | undefined;
  readonly learningRate: number;
  readonly batchSize: number;
  /** Batches of a step; absent: one. */
  readonly replicas?: number;
}

/** Crops of a step: a batch of each replica. */
export const cropsOfStep = ({
  batchSize,
  replicas = 1,
}: Pick<ScheduleSettings, 'batchSize' | 'replicas'>): number => batchSize * replicas;

/**
 * The schedule of a run over `cases` cases; an epoch shows each of them once. The warm-up ends with the run
 * at the latest.
 */
export function scheduleOf(settings: ScheduleSettings, cases: number): Schedule {
  const stepsOf = (epochs: number) => Math.ceil((epochs * cases) / cropsOfStep(settings));
  const steps = settings.steps ?? stepsOf(settings.epochs ?? 0);
  const warmupSteps = Math.min(steps, settings.warmupSteps ?? stepsOf(settings.warmupEpochs ?? 0));
  return { steps, warmupSteps, peak: settings.learningRate };
}

/**
 * Learning rate of a step, from 0: linear up to the peak over the warm-up, then half a cosine down to 0 at
 * the end (paper 4.3).
 */
export function learningRateAt(step: number, { steps, warmupSteps, peak }: Schedule): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return (peak * (1 + Math.cos(Math.PI * progress))) / 2;
}
