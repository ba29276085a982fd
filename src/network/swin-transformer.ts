import { itemAt } from '../at.js';
import { conv3d, dropout, layerNorm, nameScope, type Tensor2D, type Tensor5D, tf } from '../engine/index.js';
import type { SpatialSize } from './axis-order.js';
import type { Constant, Parameters, Pass } from './network.js';
import { convolution, linear, normalisation, type ParameterSpec, parameter } from './parameters.js';
import { residualConvolutions, residualConvolutionsParameters } from './residual-convolutions.js';
import {
  dropAt,
  namedLayerNorm,
  namedLinear,
  perceptron,
  perceptronParameters,
  withoutMaskedTokens,
} from './transformer-layers.js';
import {
  type Windows,
  windowAttention,
  windowAttentionConstant,
  windowAttentionParameters,
  windowsOf,
} from './window-attention.js';

/** Side of a token in voxels. */
const TOKEN_SIDE = 2;

/** Hidden width of a block's perceptron, in widths of its tokens. */
const MLP_RATIO = 4;

export interface SwinTransformerConfig {
  readonly inChannels: number;
  /** Width of a token of the first stage; each stage merges to twice the width. */
  readonly featureSize: number;
  /** Blocks of each of the four stages; every second one is shifted. */
  readonly depths: readonly [number, number, number, number];
  /** Attention heads of each stage. */
  readonly numHeads: readonly [number, number, number, number];
  /** Tokens of a window along [depth, height, width]. */
  readonly window: SpatialSize;
  /** 2: residual convolutions at the head of each stage (He et al. 2023, SwinUNETR-V2). */
  readonly version: 1 | 2;
  readonly merging: Merging;
  readonly dropout: number;
}

/** Parameters under the names of MONAI's `SwinTransformer`: every stage ends with a merging. */
export function swinTransformerParameters(name: string, config: SwinTransformerConfig): ParameterSpec[] {
  const { inChannels, featureSize, window, version } = config;
  return [
    ...convolution(`${name}.patch_embed.proj`, TOKEN_SIDE, inChannels, featureSize),
    ...stagesOf(name, config).flatMap(({ stage, blocks, width, heads }) => [
      ...blocks.flatMap((block) => [
        ...normalisation(`${block}.norm1`, width),
        ...windowAttentionParameters(`${block}.attn`, width, heads, window),
        ...normalisation(`${block}.norm2`, width),
        ...perceptronParameters(`${block}.mlp`, width, MLP_RATIO * width),
      ]),
      ...linear(`${stage}.downsample.reduction`, 8 * width, 2 * width, false),
      ...normalisation(`${stage}.downsample.norm`, 8 * width),
    ]),
    ...(version === 2
      ? stagesOf(name, config).flatMap(({ head, width }) =>
          residualConvolutionsParameters(head, width, width),
        )
      : []),
  ];
}

/** What MONAI's state dict has beside them: the index of relative positions of every block. */
export function swinTransformerConstants(name: string, config: SwinTransformerConfig): Constant[] {
  return stagesOf(name, config).flatMap(({ blocks }) =>
    blocks.map((block) => windowAttentionConstant(`${block}.attn`, config.window)),
  );
}

/**
 * Swin transformer (Liu et al. 2021) over cubes of 2 voxels, in the three-dimensional form of Tang et al.
 * 2022.
 * @param images [B, D, H, W, inChannels], sides multiples of 32
 * @returns the tokens after the embedding and after each of the four stages, layer-normed without weights:
 *   stage k [B, D / 2^(k + 1), ..., featureSize * 2^k]
 */
export function swinTransformer(
  name: string,
  images: Tensor5D,
  parameters: Parameters,
  config: SwinTransformerConfig,
  pass: Pass,
): Tensor5D[] {
  const embedded = nameScope(`${name}.patch_embed`, () => {
    const weight = parameter(parameters, `${name}.patch_embed.proj.weight`, 5);
    const tokens = conv3d(images, weight, TOKEN_SIDE).add<Tensor5D>(
      parameter(parameters, `${name}.patch_embed.proj.bias`, 1),
    );
    const drop = dropAt(config.dropout, pass, 0, 0);
    return dropout(withoutMaskedTokens(tokens, TOKEN_SIDE, pass), drop.rate, drop.key);
  });
  let x = embedded;
  const stages = stagesOf(name, config).map(({ stage, head, blocks, heads, firstBlock }) => {
    if (config.version === 2) x = residualConvolutions(head, x, parameters, pass.training);
    const [batch, depth, height, width] = x.shape;
    const windows = (isShifted: boolean) =>
      windowsOf(batch, [depth, height, width], config.window, isShifted);
    const [plain, shifted] = [windows(false), windows(true)];
    for (const [i, block] of blocks.entries()) {
      x = nameScope(block, () =>
        swinBlock(
          block,
          x,
          parameters,
          heads,
          i % 2 === 0 ? plain : shifted,
          config.dropout,
          pass,
          firstBlock + i,
        ),
      );
    }
    x = nameScope(`${stage}.downsample`, () => merged(`${stage}.downsample`, x, parameters, config.merging));
    return x;
  });
  return [embedded, ...stages].map(plainLayerNorm);
}

/** Windowed attention and a perceptron, each after a layer norm and beside a way around it. */
function swinBlock(
  name: string,
  x: Tensor5D,
  parameters: Parameters,
  heads: number,
  windows: Windows,
  rate: number,
  pass: Pass,
  block: number,
): Tensor5D {
  const projected = dropAt(rate, pass, block, 1);
  const attended = windowAttention(
    `${name}.attn`,
    namedLayerNorm(`${name}.norm1`, x, parameters),
    parameters,
    heads,
    windows,
  );
  const y = x.add<Tensor5D>(dropout(attended, projected.rate, projected.key));
  const rows = namedLayerNorm(`${name}.norm2`, y, parameters).reshape<Tensor2D>([-1, y.shape[4]]);
  const transformed = perceptron(
    `${name}.mlp`,
    rows,
    parameters,
    dropAt(rate, pass, block, 2),
    dropAt(rate, pass, block, 3),
  );
  return y.add(transformed.reshape(y.shape));
}

/**
 * Which eight tokens are merged, by the name of MONAI's `downsample`; before 1.5 its `merging` took two of
 * them twice and two never.
 */
export type Merging = 'merging' | 'merging-before-1.5' | 'mergingv2';

/** Offsets along x, y and z of the eight tokens that are merged, in their order. */
const OFFSETS: Readonly<Record<Merging, readonly string[]>> = {
  merging: ['000', '100', '010', '001', '110', '101', '011', '111'],
  'merging-before-1.5': ['000', '100', '010', '001', '101', '010', '001', '111'],
  mergingv2: ['000', '001', '010', '011', '100', '101', '110', '111'],
};

/**
 * Each 2x2x2 tokens side by side, normed and reduced to twice the width: [B, D, H, W, C] to
 * [B, D/2, H/2, W/2, 2C].
 */
function merged(name: string, x: Tensor5D, parameters: Parameters, merging: Merging): Tensor5D {
  const [batch, depth, height, width, channels] = x.shape;
  const half = [depth / 2, height / 2, width / 2] as const;
  const split = x.reshape([batch, half[0], 2, half[1], 2, half[2], 2, channels]);
  // The eight in raster order.
  const together = split.transpose([0, 1, 3, 5, 2, 4, 6, 7]).reshape([-1, 8, channels]);
  const order = OFFSETS[merging].map(([ix, iy, iz]) => 4 * Number(iz) + 2 * Number(iy) + Number(ix));
  const ordered = tf.concat<Tensor2D>(
    order.map((i) => together.slice([0, i, 0], [-1, 1, channels]).reshape([-1, channels])),
    1,
  ); // [tokens, 8C]
  const reduced = namedLinear(
    `${name}.reduction`,
    namedLayerNorm(`${name}.norm`, ordered, parameters),
    parameters,
  );
  return reduced.reshape([batch, ...half, 2 * channels]);
}

function plainLayerNorm(x: Tensor5D): Tensor5D {
  const channels = x.shape[4];
  return layerNorm(x, tf.ones([channels]), tf.zeros([channels]));
}

function stagesOf(name: string, { featureSize, depths, numHeads }: SwinTransformerConfig) {
  return depths.map((depth, k) => {
    const stage = `${name}.layers${k + 1}.0`;
    return {
      stage,
      /** Of version 2. */
      head: `${name}.layers${k + 1}c.0.layer`,
      blocks: Array.from({ length: depth }, (_, i) => `${stage}.blocks.${i}`),
      width: featureSize * 2 ** k,
      heads: itemAt(numHeads, k),
      /** Number of the stage's first block; 0 is the embedding. */
      firstBlock: 1 + depths.slice(0, k).reduce((a, b) => a + b, 0),
    };
  });
}
