export { classLoss } from './class-loss.js';
export { type ConsistencyKind, consistencyLoss } from './consistency-loss.js';
export { contrastiveLoss } from './contrastive-loss.js';
export {
  type DiceBinaryCrossEntropy,
  type DiceCrossEntropy,
  diceBinaryCrossEntropyLoss,
  diceCrossEntropyLoss,
  diceLoss,
} from './dice-loss.js';
export { binaryCrossEntropy, locationLoss } from './location-loss.js';
export { meanSquaredError } from './mean-squared-error.js';
export { numberLoss } from './number-loss.js';
export { type ReconstructionDistance, reconstructionLoss } from './reconstruction-loss.js';
