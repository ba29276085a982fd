export { type FinetuneOptions, type FinetuneSettings, finetune } from './finetune.js';
export type { RunProgress, RunStart } from './loop.js';
export { type MeasuredSteps, measureSteps } from './measure-step.js';
export { type MetricsLine, readMetrics, type StepLine, type ValidationLine } from './metrics-log.js';
export { type PretrainSettings, pretrain, type RunOptions, runMetadata } from './pretrain.js';
export type { RunResult } from './run.js';
export { readRunConfig } from './run-folder.js';
export type { TransferReport } from './transfer.js';
