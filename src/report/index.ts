export {
  type ContourFigureContent,
  type ContourFigureOptions,
  writeContourFigure,
  writeContourFigureOf,
} from './figures/contour-figure.js';
export type { ContourPanel } from './figures/contour-rows.js';
export { paperFigureSpec, writePaperFigure } from './figures/paper-figure-spec.js';
export { writeProgressFigure } from './figures/progress-figure.js';
export type { ProgressLine } from './figures/progress-panels.js';
export { type SpeedBar, writeSpeedFigure } from './figures/speed-figure.js';
export { markdownText } from './markdown-text.js';
export {
  type ReportCase,
  type ReportContent,
  type ReportEvaluation,
  type ReportRun,
  type SpeedResult,
  worstFirst,
} from './page/report-content.js';
export { paperResults, type ReportOptions, writeReport } from './page/write-report.js';
export { rankMarks } from './paper/column-ranks.js';
export {
  type FigureNumber,
  type OwnPoint,
  type PaperFigure,
  paperFigure,
  paperFigureMarkdown,
} from './paper/paper-figure.js';
export {
  chosenSentence,
  type NamedResult,
  type PaperTable,
  paperTables,
  paperTaskOf,
  type TableNumbers,
} from './paper/paper-table.js';
export { paperTableMarkdown } from './paper/paper-table-text.js';
export type { TableNumber } from './paper/task-table.js';
export { writeEvaluation } from './paper/write-evaluation.js';
export { writePaperTables } from './paper/write-paper-tables.js';
export { evaluationCells, fittedTable, markdownTable, millimetres, percent, type TableRow } from './table.js';
