export {
  AXIS_ORDER,
  type FileSize,
  fileSize,
  mapAxes,
  type SpatialAxis,
  type SpatialSize,
  spatialSize,
} from './axis-order.js';
export {
  type Constant,
  isEncoderParameter,
  type KeptTokens,
  latentOf,
  logitsOf,
  type Margins,
  type Network,
  type Parameters,
  type Pass,
  STILL,
  type TokenEncoder,
} from './network.js';
export {
  convolution,
  elementCount,
  type Initialiser,
  initialiseParameters,
  linear,
  normalisation,
  type ParameterLayout,
  type ParameterSpec,
  parameter,
} from './parameters.js';
export {
  makeNetwork,
  type NetworkName,
  type NetworkSettings,
  networkEncoderShapes,
  networkNameOf,
  networkNames,
  networkSection,
  networkShapes,
} from './registry.js';
export { readSafetensors, type WeightsContent, writeSafetensors } from './safetensors.js';
export { type Channels, sizeOfFile } from './settings.js';
export { type StepInputs, stepInput } from './step-input.js';
export type { Merging } from './swin-transformer.js';
export { transformerBlock, transformerBlockParameters } from './transformer-block.js';
export { namedLayerNorm, namedLinear } from './transformer-layers.js';
export { type UNetConfig, unet, unetParameters } from './unet.js';
export { withKnownNames } from './weight-names.js';
export {
  type LoadOptions,
  type LoadReport,
  readWeights,
  takeWeights,
  toPyTorch,
  toPyTorchShape,
  writeWeights,
} from './weights.js';
