export { type Augmentation, type AugmentationProbabilities, paperAugmentation } from './augmentation.js';
export { type CropBatch, type CropLoader, type CropLoaderOptions, openCropLoader } from './crop-loader.js';
export type { CropRequest } from './crop-plan.js';
export { type DatasetFile, type LabelMap, readDatasetFile } from './dataset-file.js';
export { toClassValues } from './label-values.js';
export { requireTrainingCasesOnly } from './leakage.js';
export type { CropCorruption, CropProvenance } from './make-batch.js';
export { type PrepareOptions, type PrepareProgress, type PrepareResult, prepareDatasets } from './prepare.js';
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
  preprocessLabel,
} from './preprocessing.js';
export { readChannels } from './read-channels.js';
export { gridDifference, requireSameGrid } from './same-grid.js';
export { type CaseSelection, selectCases } from './select-cases.js';
export { unitScales } from './unit-intensity.js';
export { openWorkerPool } from './worker-pool.js';
