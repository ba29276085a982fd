import { itemAt } from '../../at.js';
import type { WeightsFacts } from '../../evaluation/index.js';
import { millimetres, percent } from '../table.js';
import { type PaperTask, type TaskClasses, taskClasses } from './class-names.js';
import { columnRanks, type Rank } from './column-ranks.js';
import { publishedTables } from './published-tables.js';
import type { TableNumber, TaskColumn, TaskTable } from './task-table.js';

/** The numbers of an evaluation, or of several, that a table prints. */
export interface TableNumbers {
  readonly classes: readonly string[];
  readonly perClass: Readonly<
    Record<string, Readonly<Record<'dice' | 'hd95', { readonly mean: number | null }>>>
  >;
  readonly mean: Readonly<Record<'dice' | 'hd95', { readonly overClasses: number | null }>>;
  /** Which weights of a run they are of, where they are of one. */
  readonly weights?: WeightsFacts;
}

/** One of our results. Results with one name share a row, such as liver and spleen in Table 2. */
export interface NamedResult {
  readonly name: string;
  readonly evaluation: TableNumbers;
  /** The one that it was made for; undefined: that of its classes, which is 3 for BraTS. */
  readonly table?: TableNumber | undefined;
  /** For the first column of Table 4. */
  readonly backbone?: string | undefined;
}

export interface PaperCell {
  readonly text: string;
  readonly rank: Rank | undefined;
}

export interface PaperRow {
  readonly published: boolean;
  readonly labels: readonly string[];
  readonly cells: readonly PaperCell[];
}

/** A table in the paper's shape: its rows, then ours. */
export interface PaperTable {
  readonly number: TableNumber;
  /** Whose classes it has columns for. */
  readonly tasks: readonly PaperTask[];
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly PaperRow[];
  /** Of each column, whether published numbers and ours are of one unit. */
  readonly comparable: readonly boolean[];
  readonly notes: readonly string[];
}

/**
 * The paper's four tables with our results below the published rows; the best three Dice of each column are
 * ranked, ties alike. Distances are ranked among our own rows alone: the paper gives its own no unit. A
 * result belongs to a table by its classes: 13 organs of BTCV, liver and tumour, spleen, or the regions WT,
 * TC and ET, which are those of Table 3 and of the ablation in Table 4: there stands what was made for it.
 */
export function paperTables(results: readonly NamedResult[]): PaperTable[] {
  return publishedTables.map((table) => paperTable(table, results));
}

/**
 * Which of the paper's tasks has exactly these classes, under any of their names; undefined where none has.
 */
export const paperTaskOf = (classes: readonly string[]): PaperTask | undefined => taskClasses(classes)?.task;

function paperTable(table: TaskTable, results: readonly NamedResult[]): PaperTable {
  const { number, caption, labels, columns, published } = table;
  const fitting = fittingResults(table, results);
  const ours = ourRows(table, fitting);
  const texts = [...published, ...ours];
  const ranks = columns.map(({ metric }, i) => {
    const column = texts.map((row) => itemAt(row, labels.length + i));
    if (metric === 'dice') return columnRanks(column, 'higher');
    // Published distances have no unit: neither they nor a mixture with ours can be ranked.
    const own = column.map((text, r) => (r < published.length ? '-' : text));
    return own.filter((text) => text !== '-').length < 2 ? [] : columnRanks(own, 'lower');
  });
  const rows = texts.map((row, r) => ({
    published: r < published.length,
    labels: row.slice(0, labels.length),
    cells: row.slice(labels.length).map((text, i) => ({ text, rank: itemAt(ranks, i)[r] })),
  }));
  return {
    number,
    tasks: [...new Set(columns.map(({ task }) => task))],
    caption,
    header: [...labels, ...columns.map(({ title }) => title)],
    rows,
    comparable: columns.map(({ metric }) => metric === 'dice'),
    notes: [...table.notes, ...oddAverages(table), ...chosenNotes(fitting)],
  };
}

type FittingResult = NamedResult & TaskClasses;

/** The results that stand in a table, each with its task. */
function fittingResults({ number, columns }: TaskTable, results: readonly NamedResult[]): FittingResult[] {
  const wanted = new Set(columns.map(({ task }) => task));
  return results.flatMap((result) => {
    const found = taskClasses(result.evaluation.classes);
    if (found === undefined || !wanted.has(found.task)) return [];
    return number === (result.table ?? firstTable(found.task)) ? [{ ...result, ...found }] : [];
  });
}

/** Names the rows that cases chose on which they are reported. */
const chosenNotes = (results: readonly FittingResult[]): string[] =>
  results
    .filter(({ evaluation }) => evaluation.weights?.chosenOnTheseCases)
    .map(({ name, task }) => `${name} (${task}): ${chosenSentence}.`);

/** Why such numbers are no measure of what a network does on new cases. */
export const chosenSentence =
  'the evaluated cases chose these weights (best), so that the numbers are too good; evaluate the last weights, or other cases';

/** A row a name, in the order of the results; what a name was not evaluated on is a dash. */
function ourRows({ labels, columns }: TaskTable, fitting: readonly FittingResult[]): string[][] {
  const rows: {
    readonly name: string;
    readonly backbone: string | undefined;
    readonly byTask: Map<PaperTask, NumbersOfTask>;
  }[] = [];
  for (const { name, backbone, task, nameOf, evaluation } of fitting) {
    const row = rows.find(
      (begun) => begun.name === name && begun.backbone === backbone && !begun.byTask.has(task),
    );
    const numbers = { evaluation, nameOf };
    if (row) row.byTask.set(task, numbers);
    else rows.push({ name, backbone, byTask: new Map([[task, numbers]]) });
  }
  return rows.map(({ name, backbone, byTask }) => [
    ...(labels.length === 2 ? [backbone ?? '-', name] : [name]),
    ...columns.map((column) => cellText(column, byTask.get(column.task))),
  ]);
}

/** An evaluation, and what it calls the classes of its task. */
interface NumbersOfTask {
  readonly evaluation: TableNumbers;
  readonly nameOf: ReadonlyMap<string, string>;
}

/** The first table that has a task. */
const firstTable = (task: PaperTask) =>
  publishedTables.find(({ columns }) => columns.some((column) => column.task === task))?.number;

function cellText({ metric, className }: TaskColumn, numbers: NumbersOfTask | undefined): string {
  if (!numbers) return '-';
  const { evaluation, nameOf } = numbers;
  const value =
    className === undefined
      ? evaluation.mean[metric].overClasses
      : (evaluation.perClass[nameOf.get(className) ?? className]?.[metric].mean ?? null);
  return metric === 'dice' ? percent(value) : millimetres(value);
}

/**
 * Rounding explains 0.01 between a printed average and the mean of the printed numbers, and a little more
 * where classes are many.
 */
const explained = 0.02;

/** Names published averages that are not the mean of their row. */
function oddAverages({ columns, published, labels }: TaskTable): string[] {
  return published.flatMap((row) =>
    columns.flatMap(({ metric, task, className, title }, i) => {
      const parts = columns.flatMap((other, k) =>
        other.metric === metric && other.task === task && other.className !== undefined
          ? [Number(row[labels.length + k])]
          : [],
      );
      const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
      const printed = itemAt(row, labels.length + i);
      if (className !== undefined || Math.abs(mean - Number(printed)) <= explained) return [];
      const odd = `the published ${title} of ${printed} is not the mean of its row (${mean.toFixed(2)})`;
      return [`${row[0]}: ${odd}; it is copied as printed.`];
    }),
  );
}
