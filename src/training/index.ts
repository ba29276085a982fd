export { type FinetuneOptions, type FinetuneSettings, finetune, foldOf } from './finetune.js';
export type { RunProgress, RunStart } from './loop.js';
export { type MetricsLine, readMetrics, type StepLine, type ValidationLine } from './metrics-log.js';
export { type NetworkSettings, type PretrainSettings, pretrain, type RunOptions } from './pretrain.js';
export type { RunResult } from './run.js';
export { readRunConfig } from './run-folder.js';
