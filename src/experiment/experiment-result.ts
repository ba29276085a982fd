import type { ExperimentConfig } from '../config/index.js';
import type { PaperFigure, PaperTable } from '../report/index.js';
import type { EvaluatedWeights } from './cells.js';
import type { ExperimentRun, PretrainingRun } from './run-cell.js';
import type { FailedCell } from './run-cells.js';

export interface ExperimentResult {
  readonly schema: 1;
  readonly name: string;
  /** Which weights of the fine-tunings were evaluated, on which cases. */
  readonly evaluated: EvaluatedWeights;
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
  /** The paper's figure that it is drawn as; null where it is drawn as none or nothing has ended. */
  readonly figure: PaperFigure | null;
  /** The drawing of `figure`. */
  readonly plot: string | null;
  /** Slices with the contours of reference and predictions; null where nothing was fine-tuned. */
  readonly picture: string | null;
}
