import { entryOf, itemAt } from '../at.js';
import type { Evaluation } from '../evaluation/index.js';
import { markdownText } from './markdown-text.js';

/** A row of a table: a method, and what it reached. */
export interface TableRow {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/**
 * Cells of the paper's table: Dice in % a class and their mean, then HD95 in mm likewise; an undefined number
 * is a dash.
 */
export function evaluationCells(rows: readonly TableRow[]): {
  readonly header: readonly string[];
  readonly body: readonly (readonly string[])[];
} {
  const classes = rows[0]?.evaluation.classes ?? [];
  const header = [
    'method',
    ...classes.map((name) => `${name} Dice`),
    'mean Dice',
    ...classes.map((name) => `${name} HD95`),
    'mean HD95',
  ];
  const body = rows.map(({ name, evaluation: { perClass, mean } }) => [
    name,
    ...classes.map((label) => percent(entryOf(perClass, label).dice.mean)),
    percent(mean.dice.overClasses),
    ...classes.map((label) => millimetres(entryOf(perClass, label).hd95.mean)),
    millimetres(mean.hd95.overClasses),
  ]);
  return { header, body };
}

/**
 * The table as Markdown; columns are aligned, so that it reads well in a terminal too. Cells are text, in which
 * stars alone mean something, see `markdownText`.
 */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = (cells: readonly string[]) => cells.map(markdownText);
  const [header, body] = [escaped(titles), rows.map(escaped)];
  const widths = header.map((title, i) =>
    body.reduce((width, row) => Math.max(width, itemAt(row, i).length), title.length),
  );
  const padded = (cell: string, i: number) =>
    i === 0 ? cell.padEnd(itemAt(widths, i)) : cell.padStart(itemAt(widths, i));
  const line = (cells: readonly string[]) => `| ${cells.map(padded).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? `:${'-'.repeat(width + 1)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(header), rule, ...body.map(line)].join('\n');
}

/**
 * The table where it fits in some columns, else turned round, a row a title: with many classes a table has more
 * titles than rows.
 * @param columns of the terminal; infinite where nobody says
 */
export function fittedTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string {
  const widthOf = (table: string) => table.slice(0, table.indexOf('\n')).length;
  const table = markdownTable(titles, rows);
  if (widthOf(table) <= columns) return table;
  const [first = '', ...others] = titles;
  const turned = markdownTable(
    [first, ...rows.map((row) => itemAt(row, 0))],
    others.map((title, i) => [title, ...rows.map((row) => itemAt(row, i + 1))]),
  );
  return widthOf(turned) < widthOf(table) ? turned : table;
}

/** Dice in percent as the paper prints it; what is undefined is a dash. */
export const percent = (value: number | null): string => (value === null ? '-' : (100 * value).toFixed(2));

/** A distance in mm as the paper prints it; what is undefined is a dash. */
export const millimetres = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
