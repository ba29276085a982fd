export { autoEncoder, imageFeatures } from './auto-encoder.js';
export { type HybridMimConfig, hybridMim, hybridMimHeads, type TaskWeights } from './hybridmim.js';
export { type MaeConfig, mae } from './mae.js';
export { type PretextBatch, type PretextMethod, pretextPrefix, type Reconstruction } from './method.js';
export { modelsGenesis } from './models-genesis.js';
export {
  cropToRegion,
  groupBySubVolume,
  type MaskedBatch,
  maskBatch,
  type PatchGrid,
  type PatchMask,
  type PatchSizes,
  patchGrid,
  randomPatchMask,
  ungroupSubVolumes,
  voxelMask,
} from './patch-grid.js';
export {
  leastBatch,
  type MethodConfig,
  methodNames,
  methodSection,
  pretextMethod,
  voxelCorruption,
} from './registry.js';
export { type SimMimConfig, simMim } from './simmim.js';
export { type TransVwConfig, transVw } from './transvw.js';
export { type UNetFormerConfig, unetFormer } from './unetformer.js';
