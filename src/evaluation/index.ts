export {
  type CaseResult,
  type ClassResult,
  type ClassStatus,
  defaultFurtherMetrics,
  type EvaluatedClass,
  evaluateCase,
  type FurtherMetrics,
} from './evaluate-case.js';
export { evaluateFolders, type FolderEvaluation } from './evaluate-folders.js';
export { dice, type FurtherMetric, hd95, type Mask, type Metric, nsdMetric } from './metrics.js';
export { squaredDistances } from './squared-distances.js';
export { type ClassSummary, type Evaluation, type Spread, summarise } from './summarise.js';
