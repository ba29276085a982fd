import { conv3d, dropout, nameScope, permuteRows, type Tensor2D, type Tensor5D } from '../engine/index.js';
import type { SpatialSize } from './axis-order.js';
import type { Constant, KeptTokens, Parameters, Pass } from './network.js';
import { convolution, normalisation, type ParameterSpec, parameter } from './parameters.js';
import { transformerBlock, transformerBlockParameters } from './transformer-block.js';
import { dropAt, namedLayerNorm, withoutMaskedTokens } from './transformer-layers.js';

/** Side of a token in voxels. */
export const TOKEN_SIDE = 16;

/** Blocks of the transformer. */
export const VIT_LAYERS = 12;

export interface VisionTransformerConfig {
  readonly inChannels: number;
  /** Tokens along [depth, height, width]; each has a position embedding of its own. */
  readonly grid: SpatialSize;
  readonly hiddenSize: number;
  readonly mlpDim: number;
  readonly heads: number;
  readonly dropout: number;
}

/** Parameters of a ViT of 12 layers, under the names of MONAI's `ViT` with projection by convolution. */
export function visionTransformerParameters(name: string, config: VisionTransformerConfig): ParameterSpec[] {
  const { inChannels, grid, hiddenSize, mlpDim } = config;
  return [
    {
      name: `${name}.patch_embedding.position_embeddings`,
      layout: { positions: grid },
      shape: [1, tokensOf(config), hiddenSize],
      init: { normal: 0.02 },
    },
    ...convolution(`${name}.patch_embedding.patch_embeddings`, TOKEN_SIDE, inChannels, hiddenSize),
    ...blockNames(name).flatMap((block) => transformerBlockParameters(block, hiddenSize, mlpDim)),
    ...normalisation(`${name}.norm`, hiddenSize),
  ];
}

/** The norm before a cross-attention that MONAI's blocks have and ViT never reaches. */
export function visionTransformerConstants(
  name: string,
  { hiddenSize }: VisionTransformerConfig,
): Constant[] {
  const why = 'part of the cross-attention of MONAI, which this network never computes';
  return blockNames(name).flatMap((block) =>
    [1, 0].map((value) => ({
      name: `${block}.norm_cross_attn.${value === 1 ? 'weight' : 'bias'}`,
      dtype: 'F32' as const,
      shape: [hiddenSize],
      why,
      values: () => new Float32Array(hiddenSize).fill(value),
      ignored: true,
    })),
  );
}

/**
 * Vision transformer (Dosovitskiy et al. 2020) over cubes of 16 voxels.
 * @param images [B, D, H, W, C], D = 16 grid[0]
 * @returns the hidden states asked for (0: after the first block), and last the normed output: each
 *   [B, grid..., hiddenSize]
 */
export function visionTransformer(
  name: string,
  images: Tensor5D,
  parameters: Parameters,
  config: VisionTransformerConfig,
  pass: Pass,
  wanted: readonly number[],
): Tensor5D[] {
  const { grid, hiddenSize } = config;
  const onGrid = (rows: Tensor2D) => rows.reshape<Tensor5D>([images.shape[0], ...grid, hiddenSize]);
  const { states, last } = blocks(
    name,
    embeddedTokens(name, images, parameters, config, pass),
    tokensOf(config),
    parameters,
    config,
    pass,
  );
  return [...states.filter((_, i) => wanted.includes(i)), last].map(onGrid);
}

/**
 * The same transformer over some of the tokens alone, each with the position embedding of its own place: no
 * other token is computed with.
 * @returns the normed output of the tokens that are kept, item by item: [B * kept.perItem, hiddenSize]
 */
export function visionTransformerOfSome(
  name: string,
  images: Tensor5D,
  { perItem, order, places }: KeptTokens,
  parameters: Parameters,
  config: VisionTransformerConfig,
  pass: Pass,
): Tensor2D {
  const all = embeddedTokens(name, images, parameters, config, pass);
  const kept = nameScope('kept tokens', () =>
    permuteRows(all, order, places).slice([0, 0], [images.shape[0] * perItem, config.hiddenSize]),
  );
  return blocks(name, kept, perItem, parameters, config, pass).last;
}

/** Every token of the crop with its position: [B * tokens, hiddenSize]. */
function embeddedTokens(
  name: string,
  images: Tensor5D,
  parameters: Parameters,
  config: VisionTransformerConfig,
  pass: Pass,
): Tensor2D {
  return nameScope('patch_embedding', () => {
    const embedding = `${name}.patch_embedding`;
    const weight = parameter(parameters, `${embedding}.patch_embeddings.weight`, 5);
    const patches = conv3d(images, weight, TOKEN_SIDE).add<Tensor5D>(
      parameter(parameters, `${embedding}.patch_embeddings.bias`, 1),
    );
    const unmasked = withoutMaskedTokens(patches, TOKEN_SIDE, pass).reshape([
      images.shape[0],
      tokensOf(config),
      config.hiddenSize,
    ]);
    const drop = dropAt(config.dropout, pass, VIT_LAYERS, 0);
    const placed = unmasked.add(parameter(parameters, `${embedding}.position_embeddings`, 3));
    return dropout(placed, drop.rate, drop.key).reshape([-1, config.hiddenSize]);
  });
}

/** The state after every block, and the normed last one, of items of `tokens` tokens each. */
function blocks(
  name: string,
  embedded: Tensor2D,
  tokens: number,
  parameters: Parameters,
  { heads, dropout: rate }: VisionTransformerConfig,
  pass: Pass,
): { states: Tensor2D[]; last: Tensor2D } {
  const states: Tensor2D[] = [];
  let x = embedded;
  for (const [index, block] of blockNames(name).entries()) {
    x = nameScope(block, () =>
      transformerBlock(block, x, parameters, { heads, tokens, dropout: rate, index }, pass),
    );
    states.push(x);
  }
  return { states, last: namedLayerNorm(`${name}.norm`, x, parameters) };
}

const tokensOf = ({ grid }: VisionTransformerConfig): number => grid.reduce((a, b) => a * b, 1);

const blockNames = (name: string): string[] =>
  Array.from({ length: VIT_LAYERS }, (_, i) => `${name}.blocks.${i}`);
