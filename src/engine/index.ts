export { after } from './after.js';
export { api as tensorflow } from './c-api.js';
export { type ClusterMember, joinCluster } from './cluster.js';
export type {
  CompiledStep,
  CompileOptions,
  InputSpec,
  InputSpecs,
  InputValues,
  OutputValues,
  StepFunction,
} from './compile.js';
export { compile } from './compile.js';
export { type DeviceSettings, deviceSection, useDevice } from './device-settings.js';
export type { Bfloat16Support, Devices } from './devices.js';
export { devices, targetOn } from './devices.js';
export { type EventWriter, type GreyPicture, greyPicture, openEventWriter } from './event-writer.js';
export { type LossTerms, lossAndGradients } from './gradients.js';
export { countMultiplyAdds, savedModel } from './inference-graph.js';
export { matrixProductRate } from './matrix-product-rate.js';
export { nameScope } from './name-scope.js';
export { leakyRelu, relu } from './ops/activation.js';
export { type AdamSettings, type AdamVariables, adamUpdate, momentRate } from './ops/adam.js';
export { addInOrder, halfSumOfSquares, residualSum } from './ops/addition.js';
export { type AttentionOptions, attention, type WindowParts } from './ops/attention.js';
export { fromFirstRank, type Reduction, sumInRing, sumKeys, sumOverRanks } from './ops/collective.js';
export { conv3d, convTranspose3d, halvingConv3d } from './ops/convolution.js';
export { linear as linearLayer } from './ops/linear.js';
export { multilayerPerceptron } from './ops/multilayer-perceptron.js';
export { groupNorm, instanceNorm, layerNorm } from './ops/normalisation.js';
export { avgPool3d, maxPool3d } from './ops/pooling.js';
export { permuteRows, resizeTrilinear } from './ops/rearrangement.js';
export { zeroUnlessFinite } from './ops/zero-unless-finite.js';
export { drawnFrom, dropout, dropoutLeakyRelu, keepMask, randomUniform } from './random.js';
export { ofRank } from './rank.js';
export { missingGpuLibraries } from './runtime-files.js';
export { type ListedDevice, listDevices, outOfMemory } from './session.js';
export type { NamedArray, NamedArrays, State } from './state.js';
export { createState } from './state.js';
export type { StepMode } from './step-mode.js';
export type {
  Rank,
  Scalar,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
  Variable,
} from './tf.js';
export { default as tf } from './tf.js';
export { type Precision, precisions } from './trace.js';
