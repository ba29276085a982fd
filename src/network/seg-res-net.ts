import { z } from 'zod';
import { itemAt } from '../at.js';
import {
  conv3d,
  dropout,
  groupNorm,
  halvingConv3d,
  type NamedArrays,
  nameScope,
  relu,
  residualSum,
  resizeTrilinear,
  type Tensor5D,
} from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { SpatialSize } from './axis-order.js';
import { pointConvolution } from './layers.js';
import { latentOf, type Margins, type Network, type Parameters, type Pass } from './network.js';
import { convolution, normalisation, type ParameterSpec, parameter } from './parameters.js';
import { requireCounts, requireImages, requireMultiple, requireRate } from './requirements.js';
import { count, dropoutRate, type NetworkConfig } from './settings.js';
import { cropTowards, requireMultiples } from './target-region.js';
import { countOf, lengthOf } from './weight-shapes.js';

/** The settings of SegResNet; the defaults are MONAI's. */
export const segResNetSettings = z.strictObject({
  name: z.literal('seg-res-net'),
  initFilters: count
    .default(8)
    .describe('Channels of the first level; each further level has twice as many.'),
  blocksDown: z
    .array(count)
    .min(2)
    .readonly()
    .default([1, 2, 2, 4])
    .describe('Residual blocks of each level of the encoder.'),
  blocksUp: z
    .array(count)
    .min(1)
    .readonly()
    .default([1, 1, 1])
    .describe('Residual blocks of each level of the decoder, one fewer than of the encoder.'),
  normGroups: count.default(8).describe('Groups of the group norms.'),
  dropout: dropoutRate
    .default(0)
    .describe('Share of elements dropped after the first convolution while training.'),
});

export type SegResNetConfig = NetworkConfig<typeof segResNetSettings>;

/**
 * SegResNet (Myronenko 2018, without its variational branch) in the layout of MONAI 1.6.1's `SegResNet`, as a
 * network of this project.
 */
export function segResNet(config: SegResNetConfig): Network {
  checkConfig(config);
  const { inChannels, outChannels, initFilters, blocksDown } = config;
  const stride = 2 ** (blocksDown.length - 1);
  return {
    name: 'seg-res-net',
    inChannels,
    outChannels,
    dropout: config.dropout,
    specs: segResNetParameters(config),
    constants: [],
    latentChannels: initFilters * stride,
    latentStride: stride,
    marginStride: stride,
    lastLayer: 'conv_final.2',
    encoder: ['convInit', 'down_layers'],
    firstLayers: ['convInit.conv.weight'],
    encoderBytes: (batch, size) => encoderBytes(config, batch, size),
    encode: (images, parameters, pass) => encode(images, parameters, config, pass),
    decode: (levels, parameters, _pass, margins) => decode(levels, parameters, config, margins),
  };
}

/** Parameters in the order of MONAI's state dict; 1,176,186 at its defaults with 1 channel in and 2 out. */
function segResNetParameters({
  inChannels,
  outChannels,
  initFilters,
  blocksDown,
  blocksUp,
}: SegResNetConfig): ParameterSpec[] {
  const width = (level: number) => initFilters * 2 ** level;
  const blocks = (name: string, first: number, count: number, channels: number) =>
    Array.from({ length: count }, (_, i) => residualBlockParameters(`${name}.${first + i}`, channels)).flat();
  const levels = upLevels(blocksUp);
  return [
    ...convolution('convInit.conv', 3, inChannels, initFilters, false),
    ...blocksDown.flatMap((count, level) => [
      ...(level > 0
        ? convolution(`down_layers.${level}.0.conv`, 3, width(level - 1), width(level), false)
        : []),
      ...blocks(`down_layers.${level}`, 1, count, width(level)),
    ]),
    ...levels.flatMap(({ index, count, level }) => blocks(`up_layers.${index}`, 0, count, width(level))),
    ...levels.flatMap(({ index, level }) =>
      convolution(`up_samples.${index}.0.conv`, 1, width(level + 1), width(level), false),
    ),
    ...normalisation('conv_final.0', initFilters),
    ...convolution('conv_final.2.conv', 1, initFilters, outChannels),
  ];
}

/**
 * Channels and settings that the shapes of a weights file tell, in PyTorch's names and axis order. Throws
 * DataError for another network's file.
 */
export function segResNetShapes(
  arrays: NamedArrays,
  file: string,
): Pick<SegResNetConfig, 'inChannels' | 'outChannels' | 'initFilters' | 'blocksDown' | 'blocksUp'> {
  const blocks = (name: string, first: number) =>
    Array.from({ length: countOf(arrays, name) }, (_, level) => countOf(arrays, `${name}.${level}`) - first);
  return {
    inChannels: lengthOf(arrays, 'convInit.conv.weight', 1, 'seg-res-net', file),
    outChannels: lengthOf(arrays, 'conv_final.2.conv.weight', 0, 'seg-res-net', file),
    initFilters: lengthOf(arrays, 'convInit.conv.weight', 0, 'seg-res-net', file),
    blocksDown: blocks('down_layers', 1),
    blocksUp: blocks('up_layers', 0),
  };
}

/** Levels from fine to coarse, level k [B, D/2^k, H/2^k, W/2^k, initFilters * 2^k]. */
function encode(
  images: Tensor5D,
  parameters: Parameters,
  config: SegResNetConfig,
  { training, dropoutKey }: Pass,
): Tensor5D[] {
  const { blocksDown, normGroups } = config;
  requireImages('seg-res-net', images, config.inChannels, 2 ** (blocksDown.length - 1));
  const first = nameScope('convInit', () => conv3d(images, parameter(parameters, 'convInit.conv.weight', 5)));
  let x = training ? dropout(first, config.dropout, dropoutKey * 64) : first;
  return blocksDown.map((count, level) => {
    const name = `down_layers.${level}`;
    x = nameScope(name, () => {
      const halved = level === 0 ? x : halvingConv3d(x, parameter(parameters, `${name}.0.conv.weight`, 5));
      return residualBlocks(name, 1, count, halved, parameters, normGroups);
    });
    return x;
  });
}

/**
 * From the coarsest level up: 1x1x1 convolution, trilinear up-sampling, the level's features added, residual
 * blocks; then group norm, ReLU and a 1x1x1 convolution. With margins only the target region is computed, in
 * the way of the UNet.
 */
function decode(
  levels: readonly Tensor5D[],
  parameters: Parameters,
  { blocksUp, normGroups, blocksDown }: SegResNetConfig,
  margins?: Margins,
): Tensor5D {
  requireMultiples(margins, 2 ** (blocksDown.length - 1));
  const cropped = levels.map((level, k) =>
    nameScope('target region', () => cropTowards(level, 2 ** k, margins)),
  );
  const top = upLevels(blocksUp).reduce((x, { index, count, level }) => {
    const skip = itemAt(cropped, level);
    const up = nameScope(`up_samples.${index}`, () => {
      const narrowed = conv3d(x, parameter(parameters, `up_samples.${index}.0.conv.weight`, 5));
      const [, depth, height, width] = skip.shape;
      return resizeTrilinear(narrowed, [depth, height, width]);
    });
    return nameScope(`up_layers.${index}`, () =>
      residualBlocks(`up_layers.${index}`, 0, count, residualSum(up, skip), parameters, normGroups),
    );
  }, latentOf(cropped));
  return nameScope('conv_final', () =>
    pointConvolution(
      'conv_final.2.conv',
      normedRelu('conv_final.0', top, parameters, normGroups),
      parameters,
    ),
  );
}

/**
 * Levels of the decoder from coarse to fine: index among them, blocks, and the level of the encoder whose
 * features are added.
 */
const upLevels = (blocksUp: readonly number[]) =>
  blocksUp.map((count, index) => ({ index, count, level: blocksUp.length - 1 - index }));

function residualBlockParameters(name: string, channels: number): ParameterSpec[] {
  return [
    ...normalisation(`${name}.norm1`, channels),
    ...normalisation(`${name}.norm2`, channels),
    ...convolution(`${name}.conv1.conv`, 3, channels, channels, false),
    ...convolution(`${name}.conv2.conv`, 3, channels, channels, false),
  ];
}

function residualBlocks(
  name: string,
  first: number,
  count: number,
  x: Tensor5D,
  parameters: Parameters,
  groups: number,
): Tensor5D {
  return Array.from({ length: count }, (_, i) => `${name}.${first + i}`).reduce(
    (y, block) => residualBlock(block, y, parameters, groups),
    x,
  );
}

/** Group norm, ReLU, convolution, twice, and what came in added. */
function residualBlock(name: string, x: Tensor5D, parameters: Parameters, groups: number): Tensor5D {
  const convolved = [1, 2].reduce((y, i) => {
    const activated = normedRelu(`${name}.norm${i}`, y, parameters, groups);
    return conv3d(activated, parameter(parameters, `${name}.conv${i}.conv.weight`, 5));
  }, x);
  return residualSum(convolved, x);
}

function normedRelu(name: string, x: Tensor5D, parameters: Parameters, groups: number): Tensor5D {
  const scale = parameter(parameters, `${name}.weight`, 1);
  const shift = parameter(parameters, `${name}.bias`, 1);
  return relu(groupNorm(x, scale, shift, groups));
}

/**
 * Float32 bytes of the encoder's features that gradients need: two norms' inputs and two activations a block.
 */
function encoderBytes(
  { initFilters, blocksDown }: SegResNetConfig,
  batch: number,
  size: SpatialSize,
): number {
  const values = blocksDown.map(
    (count, level) =>
      4 *
      count *
      initFilters *
      2 ** level *
      size.reduce((product, n) => product * Math.floor(n / 2 ** level), 1),
  );
  return 4 * batch * values.reduce((a, b) => a + b, 0);
}

function checkConfig(config: SegResNetConfig): void {
  const { inChannels, outChannels, initFilters, normGroups, blocksDown, blocksUp, dropout: rate } = config;
  requireCounts({
    inChannels,
    outChannels,
    initFilters,
    normGroups,
    ...Object.fromEntries([
      ...blocksDown.map((n, i) => [`blocksDown[${i}]`, n]),
      ...blocksUp.map((n, i) => [`blocksUp[${i}]`, n]),
    ]),
  });
  requireMultiple('initFilters', initFilters, 'network.normGroups', normGroups);
  if (blocksUp.length !== blocksDown.length - 1) {
    throw new UsageError(
      `network.blocksUp has ${blocksUp.length} levels, but must have one fewer than the ` +
        `${blocksDown.length} of network.blocksDown`,
      {
        field: 'network.blocksUp',
        found: blocksUp,
      },
    );
  }
  requireRate(rate);
}
