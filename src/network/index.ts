export { isEncoderParameter, type Margins, type Network, type Parameters, type Pass, type SpatialSize } from './network.js';
export { convolution, elementCount, initialiseParameters, linear, normalisation, type ParameterSpec, parameter } from './parameters.js';
export { networkByName, networkNames, networkWidths } from './registry.js';
export { readSafetensors, writeSafetensors } from './safetensors.js';
export { type UNetConfig, unet, unetParameters } from './unet.js';
export { type LoadOptions, type LoadReport, readWeights, toPyTorch, writeWeights } from './weights.js';
