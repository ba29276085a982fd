export { type CaseResult, type ClassResult, type ClassStatus, type EvaluatedClass, evaluateCase } from './evaluate-case.js';
export { evaluateFolders, type FolderEvaluation } from './evaluate-folders.js';
export { dice, hd95 } from './metrics.js';
export { type ClassSummary, type Evaluation, type Spread, summarise } from './summarise.js';
export { type Mask, squaredDistances, surfaceVoxels } from './surface.js';
