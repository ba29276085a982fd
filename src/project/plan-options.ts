import type { Modality } from '../volume/index.js';
import type { TakeStep } from './choose-step.js';

export interface PlanOptions {
  readonly folders: readonly string[];
  /** The project: plan, prepared scans and runs. */
  readonly out: string;
  readonly labels?: string | undefined;
  readonly modality?: Modality | undefined;
  /** Names by label value; absent: those of the layout, else `class 1`. */
  readonly classes?: Readonly<Record<string, string>> | undefined;
  readonly memoryBytes: number;
  readonly hours: number;
  readonly seed: number;
  /** Scans that cannot be used are left out and named, instead of refused. */
  readonly incomplete?: boolean;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly onScan?: ((id: string, done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How a step is taken; by default in a process of its own. */
  readonly take?: TakeStep | undefined;
}

/** Files of a plan; where one is there, another plan would be lost. */
export const planFiles = {
  plan: 'plan.json',
  datasets: 'datasets.json',
  pretrain: 'pretrain.yaml',
  finetune: 'finetune.yaml',
  reasons: 'plan.md',
} as const;
