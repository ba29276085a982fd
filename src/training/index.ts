export { type FinetuneOptions, type FinetuneSettings, finetune } from './finetune.js';
export type { RunProgress, RunStart } from './loop.js';
export { followMetrics, type MetricsLine, readMetrics, type StepLine, type ValidationLine } from './metrics-log.js';
export { type NetworkSettings, type PretrainSettings, pretrain, type RunOptions } from './pretrain.js';
export type { RunResult } from './run.js';
export { readRunConfig } from './run-folder.js';
export { type RunStatus, readRunStatus } from './run-status.js';
export type { TransferReport } from './transfer.js';
