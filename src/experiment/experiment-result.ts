import type { ExperimentConfig } from '../config/index.js';
import type { PaperTable } from '../report/index.js';
import type { ExperimentRun, PretrainingRun } from './run-cell.js';
import type { FailedCell } from './run-cells.js';

export interface ExperimentResult {
  readonly schema: 1;
  readonly name: string;
  readonly pretrainings: readonly PretrainingRun[];
  readonly runs: readonly ExperimentRun[];
  readonly failed: readonly FailedCell[];
  /** Pairs of arms that it declares to compare; null: all. */
  readonly compare: ExperimentConfig['compare'] | null;
  /**
   * The paper's table that it fills, published rows and means over seeds; null where it fills none or nothing
   * was fine-tuned.
   */
  readonly paper: PaperTable | null;
  /** Slices with the contours of reference and predictions; null where nothing was fine-tuned. */
  readonly picture: string | null;
}
