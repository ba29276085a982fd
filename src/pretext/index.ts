export { type HybridMimConfig, hybridMim, hybridMimHeads, type PretextBatch, type TaskWeights } from './hybridmim.js';
export { type PretextMethod, pretextPrefix } from './method.js';
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
export { type MethodConfig, pretextMethod } from './registry.js';
