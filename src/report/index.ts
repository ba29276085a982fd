export { type ContourFigureOptions, writeContourFigure } from './contour-figure.js';
export type { ContourPanel } from './contour-rows.js';
export { writeProgressFigure } from './progress-figure.js';
export type { ProgressLine } from './progress-panels.js';
export { rankMarks } from './rank-marks.js';
export { type SpeedBar, writeSpeedFigure } from './speed-figure.js';
export { evaluationCells, markdownTable, millimetres, percent, type TableRow } from './table.js';
export { writeEvaluation } from './write-evaluation.js';
