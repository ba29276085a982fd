import { meanAndStd } from '../evaluation/index.js';
import { type FigureNumber, type OwnPoint, type PaperFigure, paperFigure } from '../report/index.js';
import type { Cell } from './cells.js';
import type { ExperimentRun, PretrainingRun } from './run-cell.js';

/**
 * One of the paper's figures with our points: means over seeds of the Dice of each row and share of labels,
 * and of the median time of a step of the pre-training that the row starts from.
 */
export function filledFigure(
  number: FigureNumber,
  cells: readonly Cell[],
  runs: readonly ExperimentRun[],
  pretrainings: readonly PretrainingRun[],
): PaperFigure {
  const secondsOf = (row: string) =>
    meanOf(
      cells.flatMap((cell) =>
        cell.kind === 'pretrain' && cell.rows.includes(row)
          ? pretrainings.filter(({ id }) => id === cell.id).map(({ stepSeconds }) => stepSeconds.median)
          : [],
      ),
    );
  const points = placesOf(cells).map(
    ({ row, share, arms }): OwnPoint => ({
      row,
      share,
      dice: meanOf(
        runs
          .filter(({ arm, fraction }) => arms.includes(arm) && fraction === share)
          .map(({ evaluation }) => evaluation.mean.dice.overClasses),
      ),
      seconds: secondsOf(row),
    }),
  );
  return paperFigure(number, points);
}

const meanOf = (values: readonly (number | null)[]): number | null => meanAndStd(values).mean;

interface Place {
  readonly row: string;
  readonly share: number;
  readonly arms: readonly string[];
}

/**
 * Rows with their shares of labels, a row after the other; without fine-tuning, the rows of the
 * pre-trainings.
 */
function placesOf(cells: readonly Cell[]): Place[] {
  const finetunings = cells.filter((cell) => cell.kind === 'finetune');
  if (finetunings.length === 0) {
    const rows = cells.flatMap((cell) => (cell.kind === 'pretrain' ? cell.rows : []));
    return [...new Set(rows)].map((row) => ({ row, share: 1, arms: [] }));
  }
  const rows = [...new Set(finetunings.map(({ row }) => row))];
  return rows.flatMap((row) => {
    const own = finetunings.filter((cell) => cell.row === row);
    const shares = [...new Set(own.map(({ fraction }) => fraction))];
    return shares.map((share) => ({ row, share, arms: [...new Set(own.map(({ arm }) => arm))] }));
  });
}
