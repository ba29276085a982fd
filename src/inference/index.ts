export { spatialSize } from './axis-order.js';
export { channelValue, type LabelScheme, labelScheme, outputChannels } from './label-scheme.js';
export { type CasePrediction, type PredictCaseOptions, predictCase } from './predict-case.js';
export { openPredictor, type Predictor, type PredictorOptions } from './predictor.js';
export { gaussianImportance, slidingWindow, type WindowOptions, type WindowPredictor, windowStarts } from './sliding-window.js';
export { labelOnGrid, logitsOnGrid } from './to-label.js';
