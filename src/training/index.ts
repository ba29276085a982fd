export { type MeasuredStep, measureFinetuningStep, measurePretrainingStep } from './estimate-step.js';
export { type FinetuneOptions, type FinetuneSettings, finetune } from './finetune.js';
export type { RunProgress, RunStart } from './loop.js';
export { type MetricsLine, readMetrics, type StepLine, type ValidationLine } from './metrics-log.js';
export { type NetworkSettings, type PretrainSettings, pretrain, type RunOptions } from './pretrain.js';
export type { RunResult } from './run.js';
export { readRunConfig } from './run-folder.js';
export { scheduleOf } from './schedule.js';
export type { TransferReport } from './transfer.js';
