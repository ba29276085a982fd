export {
  type Converted,
  type ExportOptions,
  exportWeights,
  type ImportOptions,
  importWeights,
} from './convert-weights.js';
export { readFinetunedRun, runWeights } from './finetuned-run.js';
export { type Inspection, type InspectOptions, inspectNetwork } from './inspect-network.js';
export {
  type ForeignWeightsOptions,
  type OpenedWeights,
  openForeignWeights,
  openRunWeights,
  type RunWeightsOptions,
} from './open-weights.js';
