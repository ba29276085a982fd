export { evaluationCells, markdownTable, millimetres, percent, type TableRow } from './table.js';
export { writeEvaluation } from './write-evaluation.js';
