export { type DryRun, dryRunFinetuning, dryRunPretraining } from './dry-run.js';
export type { MeasuredStep, StepOfRun } from './estimate-step.js';
export { type FinetuneOptions, finetune, foldOf } from './finetune.js';
export type { LearningTask } from './learning-task.js';
export type { RunProgress, RunStart } from './loop.js';
export { type MeasuredSteps, measureSteps } from './measure-step.js';
export { measureStepApart, type StepOutcome, type StepQuestion } from './measured-apart.js';
export { largestThatFits, stepBudget } from './memory-check.js';
export {
  followMetrics,
  type MetricsLine,
  readMetrics,
  type StepLine,
  type ValidationLine,
} from './metrics-log.js';
export { type PretrainOptions, pretrain, runMetadata } from './pretrain.js';
export { pretrainingTask } from './pretraining-task.js';
export { lastPicture, pictureFolder } from './reconstruction-picture.js';
export type { RunResult } from './run.js';
export { readRunConfig } from './run-folder.js';
export {
  type FinetuneSettings,
  finetuneSettings,
  type PretrainSettings,
  pretrainSettings,
  type RunOptions,
  seedSchema,
  type TrainSettings,
} from './run-settings.js';
export { type RunStatus, readRunStatus } from './run-status.js';
export { cropsOfStep, scheduleOf } from './schedule.js';
export { segmentationTask } from './segmentation-task.js';
export type { TransferReport, TransferredPart } from './transfer.js';
export { type Preparation, preparationOf, weightsFile } from './weights-source.js';
