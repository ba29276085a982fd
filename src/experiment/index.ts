export { type Cell, planCells } from './cells.js';
export { estimateCells, estimateTable, type PlannedCell } from './estimate.js';
export type { ExperimentResult } from './experiment-result.js';
export { experimentMarkdown, experimentTable } from './experiment-tables.js';
export {
  type ExperimentOptions,
  preparedFolder,
  prepareExperiment,
  runExperiment,
} from './run-experiment.js';
export { writeSlurmScripts } from './slurm.js';
