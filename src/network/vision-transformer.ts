import { attention, conv3d, dropout, inPlace, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor5D } from '../engine/index.js';
import type { Constant, Parameters, Pass, SpatialSize } from './network.js';
import { convolution, linear, normalisation, type ParameterSpec, parameter } from './parameters.js';
import { dropAt, namedLayerNorm, namedLinear, perceptron, perceptronParameters, withoutMaskedTokens } from './transformer-layers.js';

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
export function visionTransformerParameters(name: string, { inChannels, grid, hiddenSize, mlpDim }: VisionTransformerConfig): ParameterSpec[] {
  const tokens = grid.reduce((a, b) => a * b, 1);
  return [
    { name: `${name}.patch_embedding.position_embeddings`, layout: 'table', shape: [1, tokens, hiddenSize], init: { normal: 0.02 } },
    ...convolution(`${name}.patch_embedding.patch_embeddings`, TOKEN_SIDE, inChannels, hiddenSize),
    ...blockNames(name).flatMap((block) => [
      ...perceptronParameters(`${block}.mlp`, hiddenSize, mlpDim),
      ...normalisation(`${block}.norm1`, hiddenSize),
      ...linear(`${block}.attn.out_proj`, hiddenSize, hiddenSize),
      ...linear(`${block}.attn.qkv`, hiddenSize, 3 * hiddenSize, false),
      ...normalisation(`${block}.norm2`, hiddenSize),
    ]),
    ...normalisation(`${name}.norm`, hiddenSize),
  ];
}

/** The norm before a cross-attention that MONAI's blocks have and ViT never reaches. */
export function visionTransformerConstants(name: string, { hiddenSize }: VisionTransformerConfig): Constant[] {
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
 * @returns the hidden states asked for (0: after the first block), and last the normed output: each [B, grid..., hiddenSize]
 */
export function visionTransformer(
  name: string,
  images: Tensor5D,
  parameters: Parameters,
  config: VisionTransformerConfig,
  pass: Pass,
  wanted: readonly number[],
): Tensor5D[] {
  const { grid, hiddenSize, heads, dropout: rate } = config;
  const [batch] = images.shape;
  const tokens = grid.reduce((a, b) => a * b, 1);
  const onGrid = (rows: Tensor2D) => rows.reshape([batch, ...grid, hiddenSize]) as Tensor5D;
  let x = inPlace('patch_embedding', () => {
    const embedding = `${name}.patch_embedding`;
    const weight = parameter<Tensor5D>(parameters, `${embedding}.patch_embeddings.weight`, 5);
    const patches = conv3d(images, weight, TOKEN_SIDE).add(parameter<Tensor1D>(parameters, `${embedding}.patch_embeddings.bias`, 1)) as Tensor5D;
    const kept = withoutMaskedTokens(patches, TOKEN_SIDE, pass).reshape([batch, tokens, hiddenSize]);
    const drop = dropAt(rate, pass, VIT_LAYERS, 0);
    return dropout(kept.add(parameter<Tensor3D>(parameters, `${embedding}.position_embeddings`, 3)), drop.rate, drop.key).reshape([
      -1,
      hiddenSize,
    ]) as Tensor2D;
  });
  const states: Tensor5D[] = [];
  for (const [i, block] of blockNames(name).entries()) {
    x = inPlace(block, () => {
      const qkv = namedLinear(`${block}.attn.qkv`, namedLayerNorm(`${block}.norm1`, x, parameters), parameters);
      const attended = attention(qkv, { heads, tokens, drop: dropAt(rate, pass, i, 0) });
      const output = dropAt(rate, pass, i, 1);
      const y = x.add(dropout(namedLinear(`${block}.attn.out_proj`, attended, parameters), output.rate, output.key)) as Tensor2D;
      const normed = namedLayerNorm(`${block}.norm2`, y, parameters);
      return y.add(perceptron(`${block}.mlp`, normed, parameters, dropAt(rate, pass, i, 2), dropAt(rate, pass, i, 3))) as Tensor2D;
    });
    if (wanted.includes(i)) states.push(onGrid(x));
  }
  return [...states, onGrid(namedLayerNorm(`${name}.norm`, x, parameters))];
}

const blockNames = (name: string): string[] => Array.from({ length: VIT_LAYERS }, (_, i) => `${name}.blocks.${i}`);
