export { type ExperimentConfig, experimentConfig, type FinetuneConfig, finetuneConfig, type PretrainConfig, pretrainConfig } from './configs.js';
export { checkConfig, loadConfig } from './load-config.js';
export { nearestName } from './nearest-name.js';
