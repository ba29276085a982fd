export type { FileAccount, FileUse, UnusedFiles, UnusedReason } from './check/account-files.js';
export { type CheckedDataset, type CheckOptions, type CheckResult, checkDatasets } from './check/check.js';
export type { Finding } from './check/finding.js';
export { requireTrainingCasesOnly } from './check/leakage.js';
export {
  type Augmentation,
  type AugmentationProbabilities,
  paperAugmentation,
} from './crops/augmentation.js';
export {
  type CropBatch,
  type CropLoader,
  type CropLoaderOptions,
  type CropOfWord,
  openCropLoader,
} from './crops/crop-loader.js';
export type { CropRequest } from './crops/crop-plan.js';
export type { CropCorruption, CropProvenance } from './crops/make-batch.js';
export { toUnit, unitScales } from './crops/unit-intensity.js';
export { type WorkerChoice, type Workers, workersAtFirst } from './crops/worker-count.js';
export { caseIds } from './index/case-ids.js';
export {
  type DatasetEntry,
  type DatasetFile,
  datasetFileSchema,
  type LabelMap,
  readDatasetFile,
} from './index/dataset-file.js';
export { type Fold, parseFold, withFold } from './index/folds.js';
export { indexDatasets } from './index/index-datasets.js';
export type { SourceCase, SourceDataset } from './index/listed-case.js';
export {
  type DatasetSummary,
  type PreparedCase,
  type PreparedIndex,
  readPreparedIndex,
  readPreparedVolume,
  type SkippedCase,
} from './index/prepared-index.js';
export { type CaseSelection, labelledDatasets, selectCases } from './index/select-cases.js';
export { filesBelow } from './index/walk-folder.js';
export { type LabelFiles, readLabelOnGrid } from './prepare/label-files.js';
export { type ClassSurvival, lossesOf } from './prepare/label-survival.js';
export { countsAsClass, toClassValues } from './prepare/label-values.js';
export {
  type CaseLosses,
  type DatasetChoice,
  mergeShards,
  type PrepareOptions,
  type PrepareResult,
  prepareDatasets,
  prepareShard,
  type ShardResult,
} from './prepare/prepare.js';
export type { PrepareCasesOptions, PrepareProgress } from './prepare/prepare-cases.js';
export { describePlan, type PreparePlan } from './prepare/prepare-plan.js';
export {
  type PreprocessedImage,
  type Preprocessing,
  preprocessImage,
  preprocessingOf,
  preprocessingSchema,
} from './prepare/preprocessing.js';
export { readChannels } from './prepare/read-channels.js';
export { describeGrid, gridDifference, requireSameGrid, sameVoxels } from './prepare/same-grid.js';
export { parseShard, type Shard } from './prepare/shards.js';
export { type SurveyOptions, surveyScans, type UnusableScan } from './survey/survey.js';
export { airThreshold, type SurveyedScan, type SurveyTask, surveyCase } from './survey/survey-case.js';
