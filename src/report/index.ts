export { type ContourFigureOptions, writeContourFigure } from './contour-figure.js';
export type { ContourPanel } from './contour-rows.js';
export { type NamedResult, paperTables, paperTaskOf } from './paper-table.js';
export { writeProgressFigure } from './progress-figure.js';
export type { ProgressLine } from './progress-panels.js';
export { evaluationCells, markdownTable, millimetres, percent, type TableRow } from './table.js';
export { writeEvaluation } from './write-evaluation.js';
export { writePaperTables } from './write-paper-tables.js';
