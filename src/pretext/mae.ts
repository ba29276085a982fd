import { z } from 'zod';
import {
  type InputValues,
  nameScope,
  permuteRows,
  type Tensor2D,
  type Tensor5D,
  tf,
} from '../engine/index.js';
import { UsageError, WorkError } from '../errors.js';
import { reconstructionLoss } from '../losses/index.js';
import {
  linear,
  type Network,
  namedLayerNorm,
  namedLinear,
  normalisation,
  type ParameterSpec,
  type Parameters,
  parameter,
  type SpatialSize,
  type StepInputs,
  stepInput,
  type TokenEncoder,
  transformerBlock,
  transformerBlockParameters,
} from '../network/index.js';
import { cellsToVoxels } from './cells-to-voxels.js';
import { linearHead } from './head.js';
import {
  type MethodSettings,
  openShare,
  type PretextBatch,
  type PretextMethod,
  pretextPrefix,
  type Reconstruction,
  voxels,
} from './method.js';
import { maskBatch, maskedPatches, type PatchGrid, voxelMask, wholeGrid } from './patch-grid.js';
import { requireNetwork } from './require-network.js';
import { filledMask, reconstructionTarget, scaledTargetInputs } from './scaled-targets.js';

/** The settings of MAE; the defaults are its own. */
export const maeSettings = z.strictObject({
  name: z.literal('mae'),
  maskRatio: openShare.default(0.75).describe("Share of the crop's tokens that the encoder does not get."),
  decoder: z
    .strictObject({
      width: voxels.default(512).describe('Width of a token.'),
      depth: z.int().min(1).max(64).default(8).describe('Transformer blocks.'),
      heads: voxels.default(16).describe('Attention heads.'),
    })
    .prefault({})
    .describe('Transformer that predicts the masked tokens and is thrown away.'),
});

export type MaeConfig = MethodSettings<typeof maeSettings>;

const EMBEDDING = `${pretextPrefix}decoder_embedding`;
const TOKEN = `${pretextPrefix}mask_token`;
const POSITIONS = `${pretextPrefix}decoder_positions`;
const NORM = `${pretextPrefix}decoder_norm`;
const HEAD = 'reconstruction';
const blockName = (i: number): string => `${pretextPrefix}decoder_blocks.${i}`;

/**
 * Masked auto-encoder (He et al. 2022) in three dimensions: only visible tokens go through the encoder; a
 * light transformer takes them, a learned token for each masked one, and positions, and predicts the voxels
 * of every token; mean squared error over the masked ones.
 * @throws UsageError on another network than unetr, when tokens do not divide the crop, or when none would
 *   be masked or visible
 */
export function mae(network: Network, batch: PretextBatch, { maskRatio, decoder }: MaeConfig): PretextMethod {
  const tokens = tokenEncoder(network);
  requireHeads(decoder);
  const grid = wholeGrid(batch.crop, tokens.side);
  const count = grid.patches.reduce((a, b) => a * b, 1);
  const visible = visibleTokens(grid, count, maskRatio);
  const rows = { shape: [batch.size * count], dtype: 'int32' } as const;
  const fill = (inputs: StepInputs, parameters: Parameters, training: boolean) =>
    predictedVoxels(network, tokens, grid, visible, decoder, inputs, parameters, training);
  return {
    name: 'mae',
    heads: decoderParameters(network, grid.patches, tokens.side ** 3 * network.inChannels, decoder),
    encoderOnly: true,
    encodedShare: visible / count,
    inputs: {
      images: { shape: [batch.size, ...batch.crop, network.inChannels], dtype: 'float32' },
      patchMask: { shape: [batch.size, ...grid.patches], dtype: 'float32' },
      order: rows,
      places: rows,
      ...scaledTargetInputs(batch, network.inChannels),
    },
    corruption: (seed, step) => visibleFirst(maskBatch(grid, maskRatio, batch.size, seed, step).patchMask),
    losses: (inputs, parameters, training) => {
      const mask = nameScope('mask', () => voxelMask(stepInput(inputs, 'patchMask', 4), tokens.side));
      const target = reconstructionTarget(stepInput(inputs, 'images', 5), inputs);
      const reconstruction = reconstructionLoss(fill(inputs, parameters, training), target, mask, 'l2');
      return { total: reconstruction, reconstruction };
    },
    reconstruct: (inputs, parameters): Reconstruction => {
      const mask = voxelMask(stepInput(inputs, 'patchMask', 4), tokens.side);
      return filledMask(inputs, mask, fill(inputs, parameters, false));
    },
  };
}

function tokenEncoder(network: Network): TokenEncoder {
  requireNetwork('mae', network, 'unetr', 'encodes visible tokens without the masked ones');
  if (network.tokens) return network.tokens;
  throw new WorkError(`the network ${network.name} gives no encoder of some of its tokens, which mae needs`, {
    field: 'network.name',
  });
}

function decoderParameters(
  network: Network,
  patches: SpatialSize,
  tokenVoxels: number,
  { width, depth }: MaeConfig['decoder'],
): ParameterSpec[] {
  return [
    ...linear(EMBEDDING, network.latentChannels, width),
    { name: TOKEN, layout: 'vector', shape: [width], init: { normal: 0.02 } },
    {
      name: POSITIONS,
      layout: { positions: patches },
      shape: [1, patches[0] * patches[1] * patches[2], width],
      init: { normal: 0.02 },
    },
    ...Array.from({ length: depth }, (_, i) =>
      transformerBlockParameters(blockName(i), width, 4 * width),
    ).flat(),
    ...normalisation(NORM, width),
    ...linear(`${pretextPrefix}${HEAD}`, width, tokenVoxels),
  ];
}

/**
 * The mask with the rows of all tokens in an order that has the visible ones of every item first, and its
 * inverse.
 */
function visibleFirst(patchMask: Float32Array): InputValues {
  const all = Array.from(patchMask.keys());
  const order = Int32Array.from([
    ...all.filter((row) => patchMask[row] === 0),
    ...all.filter((row) => patchMask[row] === 1),
  ]);
  const places = new Int32Array(order.length);
  for (const [place, row] of order.entries()) places[row] = place;
  return { patchMask, order, places };
}

/** The decoder's prediction of every voxel, [B, D, H, W, C]. */
function predictedVoxels(
  network: Network,
  tokens: TokenEncoder,
  grid: PatchGrid,
  visible: number,
  { width, depth, heads }: MaeConfig['decoder'],
  inputs: StepInputs,
  parameters: Parameters,
  training: boolean,
): Tensor5D {
  const images = stepInput(inputs, 'images', 5);
  const [order, places] = [stepInput(inputs, 'order', 1), stepInput(inputs, 'places', 1)];
  const pass = { training, dropoutKey: 0 };
  const latent = tokens.encodeKept(images, { perItem: visible, order, places }, parameters, pass);
  const batch = images.shape[0];
  const count = order.size / batch;
  let x = nameScope('all tokens', () => {
    const token = parameter(parameters, TOKEN, 1).reshape([1, width]);
    const known = namedLinear(EMBEDDING, latent, parameters);
    const rows = permuteRows(
      tf.concat([known, token.tile([batch * (count - visible), 1])], 0),
      places,
      order,
    );
    const placed = rows.reshape([batch, count, width]).add(parameter(parameters, POSITIONS, 3));
    return placed.reshape<Tensor2D>([batch * count, width]);
  });
  for (let index = 0; index < depth; index++) {
    const block = blockName(index);
    x = nameScope(block, () =>
      transformerBlock(block, x, parameters, { heads, tokens: count, dropout: 0, index }, pass),
    );
  }
  const cells = linearHead(HEAD, namedLayerNorm(NORM, x, parameters), parameters);
  return nameScope('tokens to voxels', () =>
    cellsToVoxels(
      cells,
      [batch, grid.patches[0], grid.patches[1], grid.patches[2]],
      tokens.side,
      network.inChannels,
    ),
  );
}

/** Tokens of each item that are left. Throws UsageError when all or none are. */
function visibleTokens(grid: PatchGrid, count: number, maskRatio: number): number {
  const masked = maskedPatches(grid, maskRatio);
  if (masked > 0 && masked < count) return count - masked;
  throw new UsageError(
    `method.maskRatio ${maskRatio} masks ${masked} of the ${count} tokens of a crop, but some ` +
      `must be masked and some visible: change it or enlarge data.cropSize`,
    { field: 'method.maskRatio', found: maskRatio },
  );
}

function requireHeads({ width, heads }: MaeConfig['decoder']): void {
  if (width % heads === 0) return;
  throw new UsageError(
    `method.decoder.width is ${width}, but must be a multiple of method.decoder.heads ${heads}`,
    {
      field: 'method.decoder.width',
      found: width,
    },
  );
}
