export { evaluateRun, predictionFiles } from './evaluate-run.js';
export { predictScans, type ScanPrediction } from './predict-scans.js';
export { readReference } from './read-reference.js';
