import type { Evaluation } from '../evaluation/index.js';
import { columnRanks, type Rank } from './column-ranks.js';
import { publishedTables } from './published-tables.js';
import { millimetres, percent } from './table.js';

/** A column of one of the paper's tables: where its number comes from. */
export interface TaskColumn {
  readonly title: string;
  readonly metric: 'dice' | 'hd95';
  /** As a task of ours is called. */
  readonly task: string;
  /** undefined: the mean over classes. */
  readonly className: string | undefined;
}

/** A table of the paper with its own rows. */
export interface TaskTable {
  readonly number: 1 | 2 | 3 | 4;
  readonly caption: string;
  /** Titles of the cells in front of the numbers. */
  readonly labels: readonly string[];
  readonly columns: readonly TaskColumn[];
  readonly published: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

/** One of our results. Results with one name share a row, such as liver and spleen in Table 2. */
export interface NamedResult {
  readonly name: string;
  readonly evaluation: Evaluation;
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
  readonly number: 1 | 2 | 3 | 4;
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly PaperRow[];
  readonly notes: readonly string[];
}

/**
 * The paper's four tables with our results below the published rows; the best three numbers of each column are ranked, ties alike.
 * A result belongs to a table by its classes: 13 organs of BTCV, liver and tumour, spleen, or the regions WT, TC and ET.
 */
export function paperTables(results: readonly NamedResult[]): PaperTable[] {
  return publishedTables.map((table) => paperTable(table, results));
}

/** Which of the paper's tasks has exactly these classes; undefined where none has. */
export function paperTaskOf(classes: readonly string[]): string | undefined {
  return [...tasks].find(([, names]) => names.size === classes.length && classes.every((name) => names.has(name)))?.[0];
}

const tasks = new Map<string, ReadonlySet<string>>(
  ['btcv', 'msd-liver', 'msd-spleen', 'brats'].map((task) => [
    task,
    new Set(
      publishedTables.flatMap(({ columns }) => columns.flatMap((column) => (column.task === task && column.className ? [column.className] : []))),
    ),
  ]),
);

function paperTable(table: TaskTable, results: readonly NamedResult[]): PaperTable {
  const { number, caption, labels, columns, published } = table;
  const ours = ourRows(table, results);
  const texts = [...published.map((row) => row.slice(labels.length)), ...ours.map((row) => row.slice(labels.length))];
  const ranks = columns.map(({ metric }, i) =>
    columnRanks(
      texts.map((row) => row[i]!),
      metric === 'dice' ? 'higher' : 'lower',
    ),
  );
  const rows = [...published, ...ours].map((row, r) => ({
    published: r < published.length,
    labels: row.slice(0, labels.length),
    cells: texts[r]!.map((text, i) => ({ text, rank: ranks[i]![r] })),
  }));
  return { number, caption, header: [...labels, ...columns.map(({ title }) => title)], rows, notes: [...table.notes, ...oddAverages(table)] };
}

/** A row a name, in the order of the results; what a name was not evaluated on is a dash. */
function ourRows({ labels, columns }: TaskTable, results: readonly NamedResult[]): string[][] {
  const wanted = new Set(columns.map(({ task }) => task));
  const fitting = results.flatMap((result) => {
    const task = paperTaskOf(result.evaluation.classes);
    return task !== undefined && wanted.has(task) ? [{ ...result, task }] : [];
  });
  const rows: { readonly name: string; readonly backbone: string | undefined; readonly byTask: Map<string, Evaluation> }[] = [];
  for (const { name, backbone, task, evaluation } of fitting) {
    const row = rows.find((begun) => begun.name === name && !begun.byTask.has(task));
    if (row) row.byTask.set(task, evaluation);
    else rows.push({ name, backbone, byTask: new Map([[task, evaluation]]) });
  }
  return rows.map(({ name, backbone, byTask }) => [
    ...(labels.length === 2 ? [backbone ?? '-', name] : [name]),
    ...columns.map((column) => cellText(column, byTask.get(column.task))),
  ]);
}

function cellText({ metric, className }: TaskColumn, evaluation: Evaluation | undefined): string {
  if (!evaluation) return '-';
  const value = className === undefined ? evaluation.mean[metric].overClasses : (evaluation.perClass[className]?.[metric].mean ?? null);
  return metric === 'dice' ? percent(value) : millimetres(value);
}

/** Rounding explains 0.01 between a printed average and the mean of the printed numbers, and a little more where classes are many. */
const explained = 0.02;

/** Names published averages that are not the mean of their row. */
function oddAverages({ columns, published, labels }: TaskTable): string[] {
  return published.flatMap((row) =>
    columns.flatMap(({ metric, task, className, title }, i) => {
      const parts = columns.flatMap((other, k) =>
        other.metric === metric && other.task === task && other.className !== undefined ? [Number(row[labels.length + k])] : [],
      );
      const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
      const printed = row[labels.length + i]!;
      if (className !== undefined || Math.abs(mean - Number(printed)) <= explained) return [];
      return [`${row[0]}: the published ${title} of ${printed} is not the mean of its row (${mean.toFixed(2)}); it is copied as printed.`];
    }),
  );
}
