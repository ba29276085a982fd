import { z } from 'zod';
import { itemAt } from '../at.js';
import { type NamedArrays, nameScope, type Tensor5D } from '../engine/index.js';
import { type SpatialSize, spatialSize } from './axis-order.js';
import { pointConvolution } from './layers.js';
import { latentOf, type Margins, type Network, type Parameters, type Pass } from './network.js';
import { convolution, type ParameterSpec } from './parameters.js';
import { requireCounts, requireImages, requireMultiple, requireRate } from './requirements.js';
import {
  doublingBlock,
  doublingBlockParameters,
  residualConvolutions,
  residualConvolutionsParameters,
} from './residual-convolutions.js';
import { count, dropoutRate, type NetworkConfig, sizeOfFile } from './settings.js';
import {
  type SwinTransformerConfig,
  swinTransformer,
  swinTransformerConstants,
  swinTransformerParameters,
} from './swin-transformer.js';
import { cropTowards, requireMultiples } from './target-region.js';
import { countOf, lengthOf } from './weight-shapes.js';

const ofStages = z.tuple([count, count, count, count]).readonly();

/** The settings of SwinUNETR; the defaults are the paper's. */
export const swinUnetrSettings = z.strictObject({
  name: z.literal('swin-unetr'),
  featureSize: count.default(48).describe('Channels of the first stage; a multiple of 12.'),
  depths: ofStages.default([2, 2, 2, 2]).describe('Transformer blocks of each stage.'),
  numHeads: ofStages.default([3, 6, 12, 24]).describe('Attention heads of each stage.'),
  window: sizeOfFile.default([7, 7, 7]).describe('Tokens of an attention window along [x, y, z].'),
  version: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe("2: MONAI's `use_v2`, residual convolutions at the head of each stage."),
  merging: z
    .enum(['merging', 'merging-before-1.5', 'mergingv2'])
    .default('merging')
    .describe(
      "Order in which eight tokens are merged, which weights do not tell: MONAI's `downsample`, or that of its releases before 1.5.",
    ),
  dropout: dropoutRate.default(0).describe('Share of elements dropped in the transformer while training.'),
});

export type SwinUnetrConfig = NetworkConfig<typeof swinUnetrSettings>;

/** One token of the deepest stage spans 32 voxels. */
const LATENT_STRIDE = 32;

/**
 * The target region may lie on any cell of the second deepest level, from which on everything is cropped to
 * it.
 */
const MARGIN_STRIDE = 16;

/** Encoders of the skips and of the latent: of which level, and its width in feature sizes. */
const encoders = [
  { name: 'encoder1', width: 1 },
  { name: 'encoder2', width: 1 },
  { name: 'encoder3', width: 2 },
  { name: 'encoder4', width: 4 },
] as const;

/**
 * SwinUNETR (Hatamizadeh et al. 2022; version 2: He et al. 2023) in the layout of MONAI 1.6.1's `SwinUNETR`,
 * as a network of this project.
 */
export function swinUnetr(config: SwinUnetrConfig): Network {
  checkConfig(config);
  const { inChannels, outChannels, featureSize } = config;
  const transformer = transformerOf(config);
  return {
    name: 'swin-unetr',
    inChannels,
    outChannels,
    dropout: config.dropout,
    specs: swinUnetrParameters(config),
    constants: swinTransformerConstants('swinViT', transformer),
    latentChannels: 16 * featureSize,
    latentStride: LATENT_STRIDE,
    marginStride: MARGIN_STRIDE,
    lastLayer: 'out',
    encoder: ['swinViT'],
    firstLayers: [
      'swinViT.patch_embed.proj.weight',
      'encoder1.layer.conv1.conv.weight',
      'encoder1.layer.conv3.conv.weight',
    ],
    encoderBytes: (batch, size) => encoderBytes(config, batch, size),
    encode: (images, parameters, pass) => encode(images, parameters, config, pass),
    decode: (levels, parameters, pass, margins) => decode(levels, parameters, pass, margins),
  };
}

/**
 * Parameters in the order of MONAI's state dict; 62,187,296 at feature size 48 with 1 channel in and 14 out.
 */
function swinUnetrParameters(config: SwinUnetrConfig): ParameterSpec[] {
  const { inChannels, outChannels, featureSize } = config;
  return [
    ...swinTransformerParameters('swinViT', transformerOf(config)),
    ...encoders.flatMap(({ name, width }, level) =>
      residualConvolutionsParameters(
        `${name}.layer`,
        level === 0 ? inChannels : width * featureSize,
        width * featureSize,
      ),
    ),
    ...residualConvolutionsParameters('encoder10.layer', 16 * featureSize, 16 * featureSize),
    ...[16, 8, 4, 2].flatMap((width, i) =>
      doublingBlockParameters(`decoder${5 - i}`, width * featureSize, (width / 2) * featureSize),
    ),
    ...doublingBlockParameters('decoder1', featureSize, featureSize),
    ...convolution('out.conv.conv', 1, featureSize, outChannels),
  ];
}

/**
 * Channels and settings that the shapes of a weights file tell; the window only where it is a cube. Throws
 * DataError for another network's file.
 */
export function swinUnetrShapes(
  arrays: NamedArrays,
  file: string,
): Partial<SwinUnetrConfig> & Pick<SwinUnetrConfig, 'inChannels' | 'outChannels'> {
  return {
    inChannels: lengthOf(arrays, 'swinViT.patch_embed.proj.weight', 1, 'swin-unetr', file),
    outChannels: lengthOf(arrays, 'out.conv.conv.weight', 0, 'swin-unetr', file),
    ...swinEncoderShapes(arrays, file),
  };
}

/** Settings that the shapes of the encoder tell. */
export function swinEncoderShapes(arrays: NamedArrays, file: string): Partial<SwinUnetrConfig> {
  const of = (name: string, axis: number) => lengthOf(arrays, name, axis, 'swin-unetr', file);
  const table = (stage: number) => `swinViT.layers${stage}.0.blocks.0.attn.relative_position_bias_table`;
  const side = (Math.cbrt(of(table(1), 0)) + 1) / 2;
  const isCube = Math.abs(side - Math.round(side)) < 1e-6;
  const window = Math.round(side);
  return {
    featureSize: of('swinViT.patch_embed.proj.weight', 0),
    depths: ofEachStage((stage) => countOf(arrays, `swinViT.layers${stage}.0.blocks`)),
    numHeads: ofEachStage((stage) => of(table(stage), 1)),
    ...(isCube && { window: [window, window, window] as const }),
    version: Object.keys(arrays).some((name) => name.startsWith('swinViT.layers1c.')) ? 2 : 1,
  };
}

/** A value of each of the four stages, which count from 1. */
const ofEachStage = (of: (stage: number) => number): [number, number, number, number] => [
  of(1),
  of(2),
  of(3),
  of(4),
];

/**
 * The images, then the tokens of every stage from fine to coarse: levels of stride 1, 2, 4, 8, 16 and 32; the
 * last is the latent.
 */
function encode(images: Tensor5D, parameters: Parameters, config: SwinUnetrConfig, pass: Pass): Tensor5D[] {
  requireImages('swin-unetr', images, config.inChannels, LATENT_STRIDE);
  return [images, ...swinTransformer('swinViT', images, parameters, transformerOf(config), pass)];
}

/**
 * The decoder: residual convolutions of every level (of the fourth as it is), joined from coarse to fine.
 *
 * With margins only the target region is computed: every level is cropped as far as whole cells of it allow
 * before anything else, and what is left over once it is up-sampled. With margins of 16 voxels the latent,
 * whose cells span 32, stays whole, and all else is cropped.
 */
function decode(
  levels: readonly Tensor5D[],
  parameters: Parameters,
  { training }: Pass,
  margins?: Margins,
): Tensor5D {
  requireMultiples(margins, MARGIN_STRIDE);
  const cropped = levels.map((level, k) =>
    nameScope('target region', () => cropTowards(level, 2 ** k, margins)),
  );
  const skips = encoders.map(({ name }, k) =>
    residualConvolutions(`${name}.layer`, itemAt(cropped, k), parameters, training),
  );
  const latent = residualConvolutions('encoder10.layer', latentOf(cropped), parameters, training);
  const all = [...skips, itemAt(cropped, 4)];
  const top = [4, 3, 2, 1, 0].reduce((x, k) => {
    const rest = (up: Tensor5D) => cropTowards(up, 2 ** k, margins, 2 ** (k + 1));
    return doublingBlock(`decoder${k + 1}`, x, itemAt(all, k), parameters, training, rest);
  }, latent);
  return pointConvolution('out.conv.conv', top, parameters);
}

function transformerOf({ window, ...config }: SwinUnetrConfig): SwinTransformerConfig {
  return { ...config, window: spatialSize(window) };
}

/**
 * Float32 bytes that gradients need of the encoder: some ten rows of a token's width a block, and four of
 * version 2's convolutions.
 */
function encoderBytes(
  { featureSize, depths, version }: SwinUnetrConfig,
  batch: number,
  size: SpatialSize,
): number {
  const values = depths.map(
    (depth, k) =>
      (depth * 10 + (version === 2 ? 4 : 0)) *
      featureSize *
      2 ** k *
      size.reduce((product, n) => product * Math.floor(n / 2 ** (k + 1)), 1),
  );
  return 4 * batch * values.reduce((a, b) => a + b, 0);
}

function checkConfig({
  inChannels,
  outChannels,
  featureSize,
  depths,
  numHeads,
  window,
  dropout,
}: SwinUnetrConfig): void {
  requireCounts({
    inChannels,
    outChannels,
    featureSize,
    ...Object.fromEntries([
      ...depths.map((n, i) => [`depths[${i}]`, n]),
      ...numHeads.map((n, i) => [`numHeads[${i}]`, n]),
      ...window.map((n, i) => [`window[${i}]`, n]),
    ]),
  });
  requireMultiple('featureSize', featureSize, 'the whole number', 12);
  for (const [k, heads] of numHeads.entries())
    requireMultiple(`featureSize * ${2 ** k}`, featureSize * 2 ** k, `network.numHeads[${k}]`, heads);
  requireRate(dropout);
}
