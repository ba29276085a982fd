export { type Crop, type CropSize, SMALLEST_SIDE } from './crop.js';
export {
  type CorruptedCrop,
  type CorruptionRecipe,
  type CorruptionStep,
  corrupt,
  type ModelsGenesisRecipe,
  type TransVwRecipe,
} from './recipe.js';
export { type SpareArrays, spareArrays } from './spare-arrays.js';
