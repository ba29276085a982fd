export { AXIS_ORDER, type FileSize, fileSize, type SpatialSize, spatialSize } from './axis-order.js';
export {
  type Constant,
  isEncoderParameter,
  type KeptTokens,
  type Margins,
  type Network,
  type Parameters,
  type Pass,
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
  type Channels,
  makeNetwork,
  type NetworkName,
  type NetworkSettings,
  networkEncoderShapes,
  networkNameOf,
  networkNames,
  networkShapes,
  type SettingsByName,
} from './registry.js';
export { readSafetensors, type WeightsContent, writeSafetensors } from './safetensors.js';
export type { SegResNetSettings } from './seg-res-net.js';
export type { Merging } from './swin-transformer.js';
export type { SwinUnetrSettings } from './swin-unetr.js';
export { transformerBlock, transformerBlockParameters } from './transformer-block.js';
export { namedLayerNorm, namedLinear } from './transformer-layers.js';
export { type UNetConfig, unet, unetParameters } from './unet.js';
export type { UnetrSettings } from './unetr.js';
export { withKnownNames } from './weight-names.js';
export { type LoadOptions, type LoadReport, readWeights, takeWeights, toPyTorch, toPyTorchShape, writeWeights } from './weights.js';
