export { collectReport, type ReportSources } from './collect-report.js';
export { evaluateRun } from './evaluate-run.js';
export { type OpenedWeights, openForeignWeights, openRunWeights, type Preset } from './open-weights.js';
export { phantom, phantomClasses, writePhantoms } from './phantoms.js';
export { predictScans, type ScanPrediction } from './predict-scans.js';
export { preparedTable } from './prepared-table.js';
export { type ExperimentOptions, type ExperimentResult, experimentTable, runExperiment } from './run-experiment.js';
