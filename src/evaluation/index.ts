export {
  type CaseResult,
  type ClassResult,
  type ClassStatus,
  defaultFurtherMetrics,
  type EvaluatedClass,
  evaluateCase,
  type FurtherMetrics,
  type VoxelCounts,
} from './evaluate-case.js';
export {
  type EvaluatedFolders,
  evaluateFolders,
  type FileReport,
  type FolderEvaluation,
  type UnusableFile,
} from './evaluate-folders.js';
export { evaluationCsv } from './evaluation-csv.js';
export { isEvaluation, readEvaluation, wrongFieldOf } from './evaluation-file.js';
export {
  dice,
  type FurtherMetric,
  hd95,
  type Mask,
  type Metric,
  type NsdMetric,
  nsdMetric,
} from './metrics.js';
export { nnunetSummary } from './nnunet-summary.js';
export { bootstrapInterval, type Comparison, comparePaired, holm, wilcoxon } from './paired-comparison.js';
export { squaredDistances } from './squared-distances.js';
export {
  type ClassSummary,
  type Evaluation,
  type EvaluationFacts,
  furtherMetricsOf,
  type MeanAndStd,
  type Means,
  meanAndStd,
  summarise,
  type WeightsFacts,
} from './summarise.js';
