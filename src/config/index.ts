export { type FinetuneConfig, finetuneConfig, type PretrainConfig, pretrainConfig } from './configs.js';
export { type ExperimentArm, type ExperimentConfig, experimentConfig } from './experiment-config.js';
export { type ExtendableSchema, type JsonSchemas, jsonSchemas } from './json-schemas.js';
export { checkConfig, loadConfig, loadSettings, overridesOf } from './load-config.js';
export { nearestName } from './nearest-name.js';
export { overlaid, type Section } from './overlay.js';
export { type PredictConfig, predictConfig } from './predict-config.js';
export { type Preset, readPreset } from './preset.js';
export { loadTask, parseClasses, type TaskConfig } from './task.js';
