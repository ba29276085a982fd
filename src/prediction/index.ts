export { dryRunPrediction, type PredictionDryRun } from './dry-run.js';
export { evaluateRun, predictionFiles, type RunEvaluation } from './evaluate-run.js';
export { type PredictScansOptions, predictScans, type ScanPrediction } from './predict-scans.js';
export { readReference } from './read-reference.js';
