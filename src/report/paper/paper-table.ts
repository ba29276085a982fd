import { itemAt } from '../../at.js';
import { millimetres, percent } from '../table.js';
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
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly PaperRow[];
  readonly notes: readonly string[];
}

/**
 * The paper's four tables with our results below the published rows; the best three numbers of each column
 * are ranked, ties alike. A result belongs to a table by its classes: 13 organs of BTCV, liver and tumour,
 * spleen, or the regions WT, TC and ET, which are those of Table 3 and of the ablation in Table 4: there
 * stands what was made for it.
 */
export function paperTables(results: readonly NamedResult[]): PaperTable[] {
  return publishedTables.map((table) => paperTable(table, results));
}

/** Which of the paper's tasks has exactly these classes; undefined where none has. */
export function paperTaskOf(classes: readonly string[]): string | undefined {
  return [...tasks].find(
    ([, names]) => names.size === classes.length && classes.every((name) => names.has(name)),
  )?.[0];
}

const tasks = new Map<string, ReadonlySet<string>>(
  ['btcv', 'msd-liver', 'msd-spleen', 'brats'].map((task) => [
    task,
    new Set(
      publishedTables.flatMap(({ columns }) =>
        columns.flatMap((column) => (column.task === task && column.className ? [column.className] : [])),
      ),
    ),
  ]),
);

function paperTable(table: TaskTable, results: readonly NamedResult[]): PaperTable {
  const { number, caption, labels, columns, published } = table;
  const ours = ourRows(table, results);
  const texts = [...published, ...ours];
  const ranks = columns.map(({ metric }, i) => {
    const column = texts.map((row) => itemAt(row, labels.length + i));
    return columnRanks(column, metric === 'dice' ? 'higher' : 'lower');
  });
  const rows = texts.map((row, r) => ({
    published: r < published.length,
    labels: row.slice(0, labels.length),
    cells: row.slice(labels.length).map((text, i) => ({ text, rank: itemAt(ranks, i)[r] })),
  }));
  return {
    number,
    caption,
    header: [...labels, ...columns.map(({ title }) => title)],
    rows,
    notes: [...table.notes, ...oddAverages(table)],
  };
}

/** A row a name, in the order of the results; what a name was not evaluated on is a dash. */
function ourRows({ number, labels, columns }: TaskTable, results: readonly NamedResult[]): string[][] {
  const wanted = new Set(columns.map(({ task }) => task));
  const fitting = results.flatMap((result) => {
    const task = paperTaskOf(result.evaluation.classes);
    if (task === undefined || !wanted.has(task)) return [];
    return number === (result.table ?? firstTable(task)) ? [{ ...result, task }] : [];
  });
  const rows: {
    readonly name: string;
    readonly backbone: string | undefined;
    readonly byTask: Map<string, TableNumbers>;
  }[] = [];
  for (const { name, backbone, task, evaluation } of fitting) {
    const row = rows.find(
      (begun) => begun.name === name && begun.backbone === backbone && !begun.byTask.has(task),
    );
    if (row) row.byTask.set(task, evaluation);
    else rows.push({ name, backbone, byTask: new Map([[task, evaluation]]) });
  }
  return rows.map(({ name, backbone, byTask }) => [
    ...(labels.length === 2 ? [backbone ?? '-', name] : [name]),
    ...columns.map((column) => cellText(column, byTask.get(column.task))),
  ]);
}

/** The first table that has a task. */
const firstTable = (task: string) =>
  publishedTables.find(({ columns }) => columns.some((column) => column.task === task))?.number;

function cellText({ metric, className }: TaskColumn, evaluation: TableNumbers | undefined): string {
  if (!evaluation) return '-';
  const value =
    className === undefined
      ? evaluation.mean[metric].overClasses
      : (evaluation.perClass[className]?.[metric].mean ?? null);
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
