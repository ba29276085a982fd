import { itemAt } from '../../at.js';
import { escapeXml } from '../figures/svg-to-png.js';
import type { PaperCell, PaperTable } from '../paper/paper-table.js';
import { evaluationCells, millimetres, percent } from '../table.js';
import { caseDice, comparable, isOfTraining, type ReportEvaluation } from './report-content.js';

interface HtmlCell {
  readonly text: string;
  /** HTML in place of the text. */
  readonly html?: string;
  /** What it sorts by where its text is more than that. */
  readonly value?: string;
  readonly rank?: PaperCell['rank'];
  /** Words, not a number. */
  readonly left?: boolean;
}

interface HtmlRow {
  readonly cells: readonly HtmlCell[];
  readonly ours?: boolean;
}

/**
 * One of the paper's tables: published rows say so, the best three of a column are marked for the eye and in
 * words.
 */
export function paperTableHtml({ number, caption, header, rows, notes, comparable }: PaperTable): string {
  const table = sortableTable(
    `Table ${number}. ${caption}`,
    header,
    rows.map(({ labels, cells, published }) => ({
      ours: !published,
      cells: [
        ...labels.map((text, i) => ({
          text: i === labels.length - 1 ? `${text} ${published ? '(published)' : '(ours)'}` : text,
          left: true,
        })),
        // What cannot be compared with ours stays at the end, however the column is sorted.
        ...cells.map(({ text, rank }, i) => ({
          text,
          value: published && !comparable[i] ? '-' : text,
          rank,
        })),
      ],
    })),
  );
  return [table, ...notes.map((note) => `<p class="quiet">${escapeXml(note)}</p>`)].join('');
}

/** Means of every evaluation, a table for those with the same classes; training cases have tables of their own. */
export function evaluationTablesHtml(evaluations: readonly ReportEvaluation[]): string {
  return comparable(evaluations)
    .map((members) => {
      const { header, body } = evaluationCells(members);
      const ofTraining = members.every(isOfTraining) ? 'Training cases, which the runs learned from. ' : '';
      const caption = `${ofTraining}Means over cases, then over classes: ${itemAt(members, 0).evaluation.classes.join(', ')}; Dice in %, HD95 in mm`;
      const counts = members.map(({ evaluation: { cases, perClass } }) => {
        const missed = Object.values(perClass).reduce((sum, { nMissed }) => sum + nMissed, 0);
        return [String(cases.length), String(missed)];
      });
      return sortableTable(
        caption,
        [...header, 'cases', 'missed'],
        body.map((row, i) => ({ cells: [...row, ...itemAt(counts, i)].map((text) => ({ text })) })),
      );
    })
    .join('');
}

/**
 * Every case of an evaluation with Dice and HD95 of each class, worst first.
 * @param viewIds by case id: which of the viewer's cases it is
 */
export function caseTableHtml(
  { name, evaluation }: ReportEvaluation,
  viewIds: ReadonlyMap<string, string>,
): string {
  const { classes } = evaluation;
  const cases = evaluation.cases.toSorted((a, b) => (caseDice(a) ?? 2) - (caseDice(b) ?? 2));
  const header = [
    'case',
    'mean Dice',
    ...classes.map((label) => `${label} Dice`),
    ...classes.map((label) => `${label} HD95`),
    'missed',
  ];
  const rows = cases.map((result) => {
    const results = classes.map((label) => result.classes[label]);
    const missed = classes.filter((label) => result.classes[label]?.status === 'missed');
    const view = viewIds.get(result.id);
    const button =
      view &&
      `<button type="button" data-case="${view}" aria-label="view ${escapeXml(result.id)}">view</button>`;
    const id = {
      text: result.id,
      value: result.id,
      ...(button && { html: `${escapeXml(result.id)} ${button}` }),
    };
    const numbers = [
      percent(caseDice(result) ?? null),
      ...results.map((found) => percent(found?.dice ?? null)),
      ...results.map((found) => millimetres(found?.hd95 ?? null)),
    ];
    return { cells: [id, ...numbers.map((text) => ({ text })), { text: missed.join(', ') || '-' }] };
  });
  const table = sortableTable(`Cases of ${name}; Dice in %, HD95 in mm`, header, rows);
  return `<details><summary>${escapeXml(`${name}: ${cases.length} ${cases.length === 1 ? 'case' : 'cases'}`)}</summary>${table}</details>`;
}

/**
 * A table whose columns sort by buttons in their titles, in a box of its own that scrolls on narrow screens.
 */
function sortableTable(caption: string, header: readonly string[], rows: readonly HtmlRow[]): string {
  const head = header
    .map(
      (title) => `<th scope="col" aria-sort="none"><button type="button">${escapeXml(title)}</button></th>`,
    )
    .join('');
  const body = rows
    .map(({ cells, ours }) => `<tr${ours ? ' class="ours"' : ''}>${cells.map(cellHtml).join('')}</tr>`)
    .join('');
  const label = escapeXml(caption);
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="sortable"><caption>${label}</caption>` +
    `<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
  );
}

const rankWords = { 1: 'best', 2: 'second', 3: 'third' } as const;

function cellHtml({ text, html, value, rank, left }: HtmlCell, column: number): string {
  const data = value === undefined ? '' : ` data-value="${escapeXml(value)}"`;
  if (column === 0) return `<th scope="row"${data}>${html ?? escapeXml(text)}</th>`;
  const mark = rank
    ? `<sup aria-hidden="true">${rank}</sup><span class="hidden"> ${rankWords[rank]} of the column</span>`
    : '';
  return `<td${rank ? ` class="rank-${rank}"` : left ? ' class="left"' : ''}${data}>${html ?? escapeXml(text)}${mark}</td>`;
}
