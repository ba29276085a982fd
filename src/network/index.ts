export { type Constant, isEncoderParameter, type Margins, type Network, type Parameters, type Pass, type SpatialSize } from './network.js';
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
export { type UNetConfig, unet, unetParameters } from './unet.js';
export { knownNames } from './weight-names.js';
export { type LoadOptions, type LoadReport, readWeights, takeWeights, toPyTorch, toPyTorchShape, writeWeights } from './weights.js';
