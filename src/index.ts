/**
 * The library: what the commands are made of, for scripts of your own. `docs/library.md` begins with one.
 *
 * Importing it loads TensorFlow, which `npx hybridmim setup` places once; without it the import fails with a
 * sentence that says so. Errors that are the user's to mend are a {@link HybridMimError}, whose message is
 * one sentence.
 * @packageDocumentation
 */

// Settings: YAML files, or the configurations that the package ships, by name.

export {
  type ExperimentConfig,
  experimentConfig,
  type FinetuneConfig,
  finetuneConfig,
  loadConfig,
  loadTask,
  type PredictConfig,
  type PretrainConfig,
  parseClasses,
  predictConfig,
  pretrainConfig,
  shippedConfigs,
  type TaskConfig,
} from './config/index.js';

// Scans to a prepared folder.

export {
  type AugmentationProbabilities,
  type DatasetChoice,
  type PrepareCasesOptions,
  type PreparedIndex,
  type PrepareOptions,
  type PreparePlan,
  type PrepareProgress,
  type PrepareResult,
  prepareDatasets,
  readPreparedIndex,
} from './dataset/index.js';

// Public datasets, downloaded and unpacked.

export {
  type DownloadedDataset,
  type DownloadOptions,
  type DownloadProgress,
  type DownloadSettings,
  downloadDataset,
  type Patience,
} from './download/index.js';

// Steps of your own: a tfjs function compiled into a TensorFlow graph, over a state that lives there.

export {
  type CompiledStep,
  type CompileOptions,
  compile,
  createState,
  type InputSpec,
  type InputSpecs,
  type InputValues,
  type LossTerms,
  lossAndGradients,
  type NamedArray,
  type NamedArrays,
  type OutputValues,
  type Precision,
  type State,
  type StepFunction,
  tf,
} from './engine/index.js';

// Errors, by what the command line would end with.

export {
  DataError,
  type ErrorFacts,
  HybridMimError,
  InterruptedError,
  ShapeError,
  UsageError,
  WorkError,
} from './errors.js';

// Labels against predictions.

export {
  type CaseResult,
  type ClassResult,
  type ClassStatus,
  type ClassSummary,
  defaultFurtherMetrics,
  dice,
  type EvaluatedClass,
  type EvaluatedFolders,
  type Evaluation,
  type EvaluationFacts,
  evaluateFolders,
  type FileReport,
  type FolderEvaluation,
  type FurtherMetric,
  type FurtherMetrics,
  hd95,
  type Mask,
  type MeanAndStd,
  type Means,
  type NsdMetric,
  summarise,
  type UnusableFile,
  type VoxelCounts,
} from './evaluation/index.js';

// Whole runs: predict and evaluate, weights in and out, phantoms to try things on.

export { phantomClasses, writePhantoms } from './phantoms/index.js';
export {
  evaluateRun,
  type PredictScansOptions,
  predictScans,
  type RunEvaluation,
  type ScanPrediction,
} from './prediction/index.js';
export {
  type Converted,
  type ExportOptions,
  exportWeights,
  type ForeignWeightsOptions,
  type ImportOptions,
  importWeights,
  type OpenedWeights,
  openForeignWeights,
  openRunWeights,
  type RunWeightsOptions,
} from './weights/index.js';

// One loss a function: tensors in, scalar out.

export {
  binaryCrossEntropy,
  type ConsistencyKind,
  classLoss,
  consistencyLoss,
  contrastiveLoss,
  type DiceBinaryCrossEntropy,
  type DiceCrossEntropy,
  diceBinaryCrossEntropyLoss,
  diceCrossEntropyLoss,
  diceLoss,
  locationLoss,
  meanSquaredError,
  numberLoss,
  type ReconstructionDistance,
  reconstructionLoss,
} from './losses/index.js';

// Networks as a list of parameters and two pure functions, and their weight files.

export {
  type Channels,
  type Initialiser,
  initialiseParameters,
  type LoadOptions,
  type LoadReport,
  type Margins,
  type Merging,
  makeNetwork,
  type Network,
  type NetworkName,
  type NetworkSettings,
  networkNames,
  type ParameterLayout,
  type ParameterSpec,
  type Parameters,
  type Pass,
  readWeights,
  type SpatialSize,
  type UNetConfig,
  writeWeights,
} from './network/index.js';

// Training runs, resumable, in a run folder.

export {
  type FinetuneOptions,
  type FinetuneSettings,
  finetune,
  type MetricsLine,
  type PretrainSettings,
  pretrain,
  type RunOptions,
  type RunProgress,
  type RunResult,
  type RunStart,
  type StepLine,
  type TrainSettings,
  type TransferReport,
  type TransferredPart,
  type ValidationLine,
} from './training/index.js';

// What the records above are made of.

export type { ModelsGenesisRecipe } from './corruption/index.js';
export type { LabelScheme, MirrorAxes, WindowSettings } from './inference/index.js';
export type {
  HybridMimConfig,
  MaeConfig,
  MethodConfig,
  SimMimConfig,
  TaskWeights,
  TransVwConfig,
  UNetFormerConfig,
} from './pretext/index.js';
export type { Triple } from './volume/index.js';
