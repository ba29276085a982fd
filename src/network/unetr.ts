import { z } from 'zod';
import { itemAt } from '../at.js';
import { type NamedArrays, nameScope, type Tensor2D, type Tensor5D } from '../engine/index.js';
import { ShapeError } from '../errors.js';
import { fileSize, mapAxes, type SpatialSize, spatialSize } from './axis-order.js';
import { pointConvolution } from './layers.js';
import {
  type KeptTokens,
  latentOf,
  type Margins,
  type Network,
  type Parameters,
  type Pass,
} from './network.js';
import { convolution, type ParameterSpec, transposedConvolution } from './parameters.js';
import { requireCounts, requireImages, requireMultiple, requireRate } from './requirements.js';
import {
  doubling,
  doublingBlock,
  doublingBlockParameters,
  residualConvolutions,
  residualConvolutionsParameters,
} from './residual-convolutions.js';
import { count, dropoutRate, type NetworkConfig, sizeOfFile } from './settings.js';
import { cropTowards, requireMultiples } from './target-region.js';
import {
  TOKEN_SIDE,
  VIT_LAYERS,
  type VisionTransformerConfig,
  visionTransformer,
  visionTransformerConstants,
  visionTransformerOfSome,
  visionTransformerParameters,
} from './vision-transformer.js';
import { lengthOf } from './weight-shapes.js';

/** The settings of UNETR; the defaults are MONAI's. */
export const unetrSettings = z.strictObject({
  name: z.literal('unetr'),
  imageSize: sizeOfFile
    .default([96, 96, 96])
    .describe(
      'Voxels [x, y, z] of the only size that the network takes, as its position embeddings are one a token; multiples of 16.',
    ),
  featureSize: count.default(16).describe('Channels of the finest level of the decoder.'),
  hiddenSize: count.default(768).describe('Width of a token.'),
  mlpDim: count.default(3072).describe('Width of the perceptrons.'),
  numHeads: count.default(12).describe('Attention heads.'),
  dropout: dropoutRate.default(0).describe('Share of elements dropped in the transformer while training.'),
});

export type UnetrConfig = NetworkConfig<typeof unetrSettings>;

/**
 * Hidden states that the decoder takes beside the last, from fine to coarse: those after blocks 4, 7 and 10.
 */
const TAKEN = [3, 6, 9] as const;

/** Encoders of those states, with how many further doublings each has, and its width in feature sizes. */
const projections = [
  { name: 'encoder2', doublings: 2, width: 2 },
  { name: 'encoder3', doublings: 1, width: 4 },
  { name: 'encoder4', doublings: 0, width: 8 },
] as const;

/** UNETR (Hatamizadeh et al. 2022) in the layout of MONAI 1.6.1's `UNETR`, as a network of this project. */
export function unetr(config: UnetrConfig): Network {
  checkConfig(config);
  const { inChannels, outChannels, hiddenSize } = config;
  return {
    name: 'unetr',
    inChannels,
    outChannels,
    dropout: config.dropout,
    specs: unetrParameters(config),
    constants: visionTransformerConstants('vit', transformerOf(config)),
    latentChannels: hiddenSize,
    latentStride: TOKEN_SIDE,
    imageSize: spatialSize(config.imageSize),
    marginStride: TOKEN_SIDE,
    lastLayer: 'out',
    encoder: ['vit'],
    firstLayers: [
      'vit.patch_embedding.patch_embeddings.weight',
      'encoder1.layer.conv1.conv.weight',
      'encoder1.layer.conv3.conv.weight',
    ],
    encoderBytes: (batch, size) => encoderBytes(config, batch, size),
    tokens: {
      side: TOKEN_SIDE,
      encodeKept: (images, kept, parameters, pass) => encodeKept(images, kept, parameters, config, pass),
    },
    encode: (images, parameters, pass) => encode(images, parameters, config, pass),
    decode: (levels, parameters, pass, margins) => decode(levels, parameters, pass, margins),
  };
}

/**
 * Parameters in the order of MONAI's state dict; 92,784,046 at its defaults with 1 channel in and 14 out,
 * which are MONAI's less the unused norms.
 */
function unetrParameters(config: UnetrConfig): ParameterSpec[] {
  const { inChannels, outChannels, featureSize, hiddenSize } = config;
  return [
    ...visionTransformerParameters('vit', transformerOf(config)),
    ...residualConvolutionsParameters('encoder1.layer', inChannels, featureSize),
    ...projections.flatMap(({ name, doublings, width }) => [
      ...transposedConvolution(`${name}.transp_conv_init.conv`, 2, hiddenSize, width * featureSize, false),
      ...Array.from({ length: doublings }, (_, i) => [
        ...transposedConvolution(
          `${name}.blocks.${i}.0.conv`,
          2,
          width * featureSize,
          width * featureSize,
          false,
        ),
        ...residualConvolutionsParameters(`${name}.blocks.${i}.1`, width * featureSize, width * featureSize),
      ]).flat(),
    ]),
    ...doublingBlockParameters('decoder5', hiddenSize, 8 * featureSize),
    ...[4, 3, 2].flatMap((i) =>
      doublingBlockParameters(`decoder${i}`, 2 ** (i - 1) * featureSize, 2 ** (i - 2) * featureSize),
    ),
    ...convolution('out.conv.conv', 1, featureSize, outChannels),
  ];
}

/**
 * Channels and settings that the shapes of a weights file tell; the image size only where it is a cube.
 * Throws DataError for another network's file.
 */
export function unetrShapes(
  arrays: NamedArrays,
  file: string,
): Partial<UnetrConfig> & Pick<UnetrConfig, 'inChannels' | 'outChannels'> {
  const of = (axis: number, name: string) => lengthOf(arrays, name, axis, 'unetr', file);
  return {
    inChannels: of(1, 'encoder1.layer.conv1.conv.weight'),
    outChannels: of(0, 'out.conv.conv.weight'),
    featureSize: of(0, 'encoder1.layer.conv1.conv.weight'),
    ...unetrEncoderShapes(arrays, file),
  };
}

/** Settings that the shapes of the encoder tell. */
export function unetrEncoderShapes(arrays: NamedArrays, file: string): Partial<UnetrConfig> {
  const of = (name: string, axis: number) => lengthOf(arrays, name, axis, 'unetr', file);
  const tokens = of('vit.patch_embedding.position_embeddings', 1);
  const voxels = TOKEN_SIDE * Math.round(Math.cbrt(tokens));
  const isCube = voxels ** 3 === tokens * TOKEN_SIDE ** 3;
  return {
    hiddenSize: of('vit.patch_embedding.patch_embeddings.weight', 0),
    mlpDim: of('vit.blocks.0.mlp.linear1.weight', 0),
    ...(isCube && { imageSize: [voxels, voxels, voxels] as const }),
  };
}

/**
 * The images, hidden states after blocks 4, 7 and 10, and the normed last state, which is the latent; states
 * are [B, D/16, H/16, W/16, hiddenSize].
 */
function encode(images: Tensor5D, parameters: Parameters, config: UnetrConfig, pass: Pass): Tensor5D[] {
  requireSize(images, config);
  return [images, ...visionTransformer('vit', images, parameters, transformerOf(config), pass, TAKEN)];
}

/** The normed last state of the tokens that are kept: [B * perItem, hiddenSize]. */
function encodeKept(
  images: Tensor5D,
  kept: KeptTokens,
  parameters: Parameters,
  config: UnetrConfig,
  pass: Pass,
): Tensor2D {
  requireSize(images, config);
  return visionTransformerOfSome('vit', images, kept, parameters, transformerOf(config), pass);
}

function requireSize(images: Tensor5D, config: UnetrConfig): void {
  requireImages('unetr', images, config.inChannels, TOKEN_SIDE);
  const expected = config.imageSize;
  const [, depth, height, width] = images.shape;
  const size = fileSize([depth, height, width]);
  if (size.join() !== expected.join()) {
    throw new ShapeError(
      `unetr was made for images of [${expected}] voxels (x, y, z), but the input is [${size}]: set ` +
        `network.imageSize to the crop's size`,
      {
        field: 'network.imageSize',
        found: size,
        expected,
      },
    );
  }
}

/**
 * Every state up-sampled to its own level, then joined from coarse to fine. With margins only the target
 * region is computed.
 */
function decode(
  levels: readonly Tensor5D[],
  parameters: Parameters,
  { training }: Pass,
  margins?: Margins,
): Tensor5D {
  requireMultiples(margins, TOKEN_SIDE);
  const [images, states] = [itemAt(levels, 0), levels.slice(1)];
  const cropped = states.map((state) =>
    nameScope('target region', () => cropTowards(state, TOKEN_SIDE, margins)),
  );
  const finest = cropTowards(images, 1, margins);
  const skips = [
    residualConvolutions('encoder1.layer', finest, parameters, training),
    ...projections.map(({ name, doublings }, i) =>
      nameScope(name, () => projection(name, doublings, itemAt(cropped, i), parameters, training)),
    ),
  ];
  const top = [5, 4, 3, 2].reduce(
    (x, i) => doublingBlock(`decoder${i}`, x, itemAt(skips, i - 2), parameters, training),
    latentOf(cropped),
  );
  return pointConvolution('out.conv.conv', top, parameters);
}

/** A hidden state up-sampled by its encoder: doubling, then doublings with residual convolutions. */
function projection(
  name: string,
  doublings: number,
  state: Tensor5D,
  parameters: Parameters,
  training: boolean,
): Tensor5D {
  const first = doubling(`${name}.transp_conv_init.conv`, state, parameters);
  return Array.from({ length: doublings }, (_, i) => `${name}.blocks.${i}`).reduce(
    (x, block) =>
      residualConvolutions(`${block}.1`, doubling(`${block}.0.conv`, x, parameters), parameters, training),
    first,
  );
}

function transformerOf({
  inChannels,
  imageSize,
  hiddenSize,
  mlpDim,
  numHeads,
  dropout,
}: UnetrConfig): VisionTransformerConfig {
  const grid = spatialSize(mapAxes(imageSize, (voxels) => voxels / TOKEN_SIDE));
  return { inChannels, grid, hiddenSize, mlpDim, heads: numHeads, dropout };
}

/** Float32 bytes that gradients need of the encoder: some ten rows of a token's width a block. */
function encoderBytes({ hiddenSize }: UnetrConfig, batch: number, size: SpatialSize): number {
  return (
    4 *
    batch *
    VIT_LAYERS *
    10 *
    hiddenSize *
    size.reduce((product, n) => product * Math.floor(n / TOKEN_SIDE), 1)
  );
}

function checkConfig({
  inChannels,
  outChannels,
  imageSize,
  featureSize,
  hiddenSize,
  mlpDim,
  numHeads,
  dropout,
}: UnetrConfig): void {
  requireCounts({ inChannels, outChannels, featureSize, hiddenSize, mlpDim, numHeads });
  for (const [axis, voxels] of imageSize.entries()) {
    requireCounts({ [`imageSize[${axis}]`]: voxels });
    requireMultiple(`imageSize[${axis}]`, voxels, "the token's side", TOKEN_SIDE);
  }
  requireMultiple('hiddenSize', hiddenSize, 'network.numHeads', numHeads);
  requireRate(dropout);
}
