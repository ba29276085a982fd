import type { Triple } from '../volume/index.js';
import type { RunProgress } from './loop.js';
import type { ScheduleSettings } from './schedule.js';
import type { OptimizerSettings } from './training-step.js';

/** What every training run is set by. */
export interface TrainSettings extends ScheduleSettings, OptimizerSettings {
  readonly checkpointEvery: number;
  /** 0: never. */
  readonly validateEvery: number;
  readonly threads: number;
  readonly engine: 'graph' | 'eager';
}

export interface DataSettings {
  readonly prepared: string;
  readonly datasets?: readonly string[] | undefined;
  /** Voxels [x, y, z]. */
  readonly cropSize: Triple;
  readonly workers: number;
  readonly prefetch: number;
}

export interface RunOptions<S> {
  readonly settings: S;
  /** The run folder. */
  readonly out: string;
  readonly resume: boolean;
  readonly progress: RunProgress;
  readonly signal?: AbortSignal | undefined;
}
