export { type CaseResult, type ClassResult, type ClassStatus, type EvaluatedClass, evaluateCase } from './evaluate-case.js';
export { evaluateFolders, type FolderEvaluation } from './evaluate-folders.js';
export { dice, hd95 } from './metrics.js';
export { bootstrapInterval, type Comparison, comparePaired, wilcoxon } from './paired-comparison.js';
export { type ClassSummary, type Evaluation, type Spread, spread, summarise } from './summarise.js';
export { type Mask, squaredDistances, surfaceVoxels } from './surface.js';
