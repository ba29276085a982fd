export { evaluateRun, readFinetunedRun, runWeights } from './evaluate-run.js';
export { openWeights, readWeightsFacts } from './open-weights.js';
export { phantom, phantomClasses, writePhantoms } from './phantoms.js';
export { type ExperimentOptions, type ExperimentResult, experimentTable, runExperiment } from './run-experiment.js';
