export { type Augmentation, type AugmentationProbabilities, paperAugmentation } from './augmentation.js';
export { type CheckedDataset, type CheckOptions, type CheckResult, checkDatasets, type Finding } from './check.js';
export { type CropBatch, type CropLoader, type CropLoaderOptions, type CropOfWord, openCropLoader } from './crop-loader.js';
export type { CropRequest } from './crop-plan.js';
export { type DatasetFile, type LabelMap, readDatasetFile } from './dataset-file.js';
export { type Fold, parseFold, withFold } from './folds.js';
export { toClassValues } from './label-values.js';
export { requireTrainingCasesOnly } from './leakage.js';
export type { CropCorruption, CropProvenance } from './make-batch.js';
export { mapInLanes } from './map-in-lanes.js';
export {
  type DatasetChoice,
  mergeShards,
  type PrepareOptions,
  type PrepareResult,
  prepareDatasets,
  prepareShard,
  type ShardResult,
} from './prepare.js';
export type { PrepareCasesOptions, PrepareProgress } from './prepare-cases.js';
export { describePlan, type PreparePlan } from './prepare-plan.js';
export {
  type DatasetSummary,
  type PreparedCase,
  type PreparedIndex,
  readPreparedIndex,
  readPreparedVolume,
  type SkippedCase,
} from './prepared-index.js';
export {
  type PreprocessedImage,
  type Preprocessing,
  preprocessImage,
  preprocessingOf,
  preprocessingSchema,
} from './preprocessing.js';
export { readChannels } from './read-channels.js';
export { gridDifference, requireSameGrid } from './same-grid.js';
export { type CaseSelection, selectCases } from './select-cases.js';
export { parseShard, type Shard } from './shards.js';
export { toUnit, unitScales } from './unit-intensity.js';
export { openWorkerPool } from './worker-pool.js';
