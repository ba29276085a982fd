export type { OutputKind } from './average-logits.js';
export { inferenceSection } from './inference-settings.js';
export { channelValue, type LabelScheme, labelScheme, outputChannels } from './label-scheme.js';
export { asSlab, collectLogits, type LogitSlab } from './logit-slab.js';
export { type CasePrediction, type PredictCaseOptions, predictCase, predictLabel } from './predict-case.js';
export {
  imageSizeOf,
  openPredictor,
  type Predictor,
  type PredictorOptions,
  predictorOf,
  requireImageSize,
} from './predictor.js';
export {
  slidingWindowSlabs,
  type WindowNetwork,
  type WindowOptions,
  type WindowProgress,
  type WindowSettings,
} from './sliding-window.js';
export { labelOnGrid, logitsOnGrid, openLabel } from './to-label.js';
export { requireWindowMemory } from './window-memory.js';
export { openWindowSums } from './window-sums.js';
export { gaussianImportance, type MirrorAxes, mirrorings, windowCount, windowStarts } from './windows.js';
