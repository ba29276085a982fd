import { entryOf, itemAt } from '../at.js';
import { type Evaluation, meanAndStd } from '../evaluation/index.js';
import {
  type NamedResult,
  type PaperTable,
  paperTables,
  paperTaskOf,
  type TableNumber,
  type TableNumbers,
} from '../report/index.js';
import type { Cell } from './cells.js';
import type { ExperimentRun } from './run-cell.js';

/**
 * One of the paper's tables with a row an arm below the published ones: means over seeds, named as the paper
 * names its own.
 */
export function filledTable(
  number: TableNumber,
  cells: readonly Cell[],
  runs: readonly ExperimentRun[],
): PaperTable {
  const arms = [...new Set(runs.map(({ arm }) => arm))];
  const finetunings = cells.filter((cell) => cell.kind === 'finetune');
  const byArm = new Map(finetunings.toReversed().map((cell) => [cell.arm, cell])); // the first of each arm
  const results = arms.map((arm) => {
    const cell = entryOf(byArm, arm);
    const evaluation = meanOverSeeds(runs.filter((run) => run.arm === arm).map((run) => run.evaluation));
    return { name: cell.row, backbone: cell.backbone, table: number, evaluation };
  });
  const table = itemAt(
    paperTables(results).filter((table) => table.number === number),
    0,
  );
  const strangers = results.filter(
    ({ evaluation }) => !table.tasks.some((task) => task === paperTaskOf(evaluation.classes)),
  );
  return { ...table, notes: [...table.notes, ...strangers.map(strangerNote)] };
}

/** A result that no cell of the table takes must not be missed in silence. */
const strangerNote = ({ name, evaluation }: NamedResult): string =>
  `${name} has no row: its classes, ${evaluation.classes.join(', ')}, are none that the table has; ` +
  'the classes of its dataset index can name them as docs/report.md lists them.';

/** Of each number of some evaluations of the same classes, the mean of those that are defined. */
function meanOverSeeds(evaluations: readonly Evaluation[]): TableNumbers {
  const { classes } = itemAt(evaluations, 0);
  const meanOf = (value: (evaluation: Evaluation) => number | null | undefined) =>
    meanAndStd(evaluations.map((one) => value(one) ?? null)).mean;
  const ofClass = (name: string, metric: 'dice' | 'hd95') => ({
    mean: meanOf(({ perClass }) => perClass[name]?.[metric].mean),
  });
  return {
    classes,
    perClass: Object.fromEntries(
      classes.map((name) => [name, { dice: ofClass(name, 'dice'), hd95: ofClass(name, 'hd95') }]),
    ),
    mean: {
      dice: { overClasses: meanOf(({ mean }) => mean.dice.overClasses) },
      hd95: { overClasses: meanOf(({ mean }) => mean.hd95.overClasses) },
    },
  };
}
