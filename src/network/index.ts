export {
  type Constant,
  isEncoderParameter,
  type KeptTokens,
  type Margins,
  type Network,
  type Parameters,
  type Pass,
  type SpatialSize,
  type TokenEncoder,
} from './network.js';
export { convolution, elementCount, initialiseParameters, linear, normalisation, type ParameterSpec, parameter } from './parameters.js';
export {
  type Channels,
  makeNetwork,
  type NetworkName,
  type NetworkSettings,
  networkNameOf,
  networkNames,
  networkShapes,
} from './registry.js';
export { readSafetensors, writeSafetensors } from './safetensors.js';
export { transformerBlock, transformerBlockParameters } from './transformer-block.js';
export { namedLayerNorm, namedLinear } from './transformer-layers.js';
export { type UNetConfig, unet, unetParameters } from './unet.js';
export { knownNames } from './weight-names.js';
export { type LoadOptions, type LoadReport, readWeights, takeWeights, toPyTorch, toPyTorchShape, writeWeights } from './weights.js';
