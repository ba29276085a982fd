export { type ExperimentConfig, experimentConfig, type FinetuneConfig, finetuneConfig, type PretrainConfig, pretrainConfig } from './configs.js';
export { checkConfig, loadConfig, loadSettings } from './load-config.js';
export { nearestName } from './nearest-name.js';
export { type PredictConfig, predictConfig } from './predict-config.js';
export { networkSection } from './sections.js';
export { loadTask, parseClasses, type TaskConfig } from './task.js';
