import { markdownText } from '../markdown-text.js';
import { markdownTable } from '../table.js';
import type { Rank } from './column-ranks.js';
import type { PaperCell, PaperRow, PaperTable } from './paper-table.js';

/**
 * One of the paper's tables as Markdown: published rows say so, the best three of a column are bold with
 * their rank.
 */
export function paperTableMarkdown({ number, caption, header, rows, notes }: PaperTable): string {
  const body = rows.map((row) => [...rowLabels(row), ...row.cells.map(markdownCell)]);
  return [
    `**Table ${number}. ${markdownText(caption)}**`,
    markdownTable(header, body),
    [rankSentence, ...notes.map(markdownText)].join(' '),
  ].join('\n\n');
}

/**
 * The same as a LaTeX table that needs no package; a rule parts published rows from ours, and Table 4's
 * backbones.
 */
export function paperTableLatex({ number, caption, header, rows, notes }: PaperTable): string {
  const labelled = rows[0]?.labels.length ?? 1;
  const line = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
  const body = rows.flatMap((row, i) => [
    ...(rows[i - 1]?.published && !row.published ? ['\\hline'] : []),
    line([...rowLabels(row).map(escapeLatex), ...row.cells.map(latexCell)]),
  ]);
  return [
    ...Object.values(latexRanks).map(([name, definition]) => `\\providecommand{\\${name}}[1]{${definition}}`),
    '\\begin{table}',
    '\\centering',
    `\\caption{${escapeLatex(`${caption}. ${latexRankSentence} ${notes.join(' ')}`.trim())}}`,
    `\\label{tab:hybridmim-${number}}`,
    `\\begin{tabular}{${'l'.repeat(labelled)}${'r'.repeat(header.length - labelled)}}`,
    '\\hline',
    line(header.map(escapeLatex)),
    '\\hline',
    ...body,
    '\\hline',
    '\\end{tabular}',
    '\\end{table}',
  ].join('\n');
}

const rankSentence = 'Bold with a rank: the best three Dice of a column, published rows included.';
const latexRankSentence =
  'Bold, underlined and italic: the first, second and third Dice of a column, published rows included.';

/** The last label says whose numbers these are. */
function rowLabels({ labels, published }: PaperRow): string[] {
  return labels.map((label, i) => (published && i === labels.length - 1 ? `${label} (published)` : label));
}

const markdownCell = ({ text, rank }: PaperCell): string => (rank ? `**${text}** (${rank})` : text);

const latexRanks: Readonly<Record<Rank, readonly [command: string, definition: string]>> = {
  1: ['hmfirst', '\\textbf{#1}'],
  2: ['hmsecond', '\\underline{#1}'],
  3: ['hmthird', '\\textit{#1}'],
};

const latexCell = ({ text, rank }: PaperCell): string =>
  rank ? `\\${latexRanks[rank][0]}{${text}}` : text === '-' ? '--' : text;

const latexLetters: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
};

/** Text as it may stand in LaTeX. */
const escapeLatex = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\\~^#$%&_{}<>|]/g, (letter) => latexLetters[letter] ?? `\\${letter}`);
