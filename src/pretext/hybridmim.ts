import { z } from 'zod';
import { entryOf } from '../at.js';
import {
  addInOrder,
  avgPool3d,
  type LossTerms,
  nameScope,
  type Scalar,
  type Tensor2D,
  type Tensor3D,
  type Tensor5D,
  tf,
} from '../engine/index.js';
import { UsageError } from '../errors.js';
import {
  consistencyLoss,
  contrastiveLoss,
  locationLoss,
  numberLoss,
  reconstructionLoss,
} from '../losses/index.js';
import {
  latentOf,
  linear,
  mapAxes,
  type Network,
  type ParameterSpec,
  type Parameters,
  type StepInputs,
  stepInput,
} from '../network/index.js';
import { voxelsToCells } from './cells-to-voxels.js';
import { contrastChance, maskChance } from './chance.js';
import { linearHead } from './head.js';
import { maskToken, tokenVoxel } from './mask-token.js';
import {
  type MethodSettings,
  openShare,
  type PretextBatch,
  type PretextMethod,
  pretextPrefix,
  type Reconstruction,
  voxels,
} from './method.js';
import { cropToRegion, maskBatch, type PatchGrid, patchGrid, voxelMask } from './patch-grid.js';
import { filledMask, reconstructionTarget, scaledTargetInputs } from './scaled-targets.js';

const weight = z.number().min(0);

/** Weight of each task in the total (paper eq. 7); 0 switches the task off, and its compute. */
const taskWeights = z.strictObject({
  reconstruction: weight.default(1).describe('Weight of the reconstruction of masked voxels.'),
  number: weight.default(0.1).describe('Weight of counting the masked patches of a sub-volume.'),
  location: weight.default(0.1).describe('Weight of telling which patches are masked.'),
  consistency: weight.default(0.01).describe('Weight of the agreement of the two.'),
  contrast: weight.default(0.1).describe('Weight of telling two dropout views of a crop from other crops.'),
});

export type TaskWeights = Readonly<z.output<typeof taskWeights>>;

/**
 * The settings of HybridMIM. Sizes, mask ratio, weights and the squared distance are the paper's (3.5, 4.3);
 * the others are not in it (docs/methods.md).
 */
export const hybridMimSettings = z.strictObject({
  name: z.literal('hybridmim').optional().default('hybridmim'),
  subVolume: voxels.default(32).describe('Side of a sub-volume in voxels, a whole number of patches.'),
  patch: voxels.default(16).describe('Side of a patch in voxels.'),
  region: voxels.describe("Side of the target region in voxels; the crop's own side: not partial."),
  maskRatio: openShare.default(0.4).describe('Share of the patches that is masked.'),
  weights: taskWeights.prefault({}),
  reconstruction: z
    .enum(['l2', 'l1'])
    .default('l2')
    .describe('Distance of voxels in the reconstruction: squared or absolute.'),
  consistency: z
    .enum(['soft', 'hard'])
    .default('soft')
    .describe(
      '`hard` counts rounded locations, as the equation reads, which have no gradient; `soft` their probabilities.',
    ),
  subVolumeFeatures: z
    .enum(['cells', 'mean'])
    .default('cells')
    .describe(
      "What a head knows of a sub-volume: its cells of the latent side by side, or, as the authors' code has it, their mean, which throws their places away.",
    ),
  mask: z
    .enum(['zero', 'token'])
    .default('zero')
    .describe('What a masked voxel is to the network: 0, or a learned value a channel.'),
  output: z
    .enum(['linear', 'sigmoid'])
    .default('linear')
    .describe("What the decoder gives before the reconstruction loss; the authors' code has a sigmoid."),
  contrastFeatures: z
    .enum(['mean', 'octants'])
    .default('octants')
    .describe(
      "What the contrastive projection takes of a crop's latent: its mean, or the means of its eight octants side by side, which tell crops apart where instance norm has made all means alike.",
    ),
  temperature: z.number().gt(0).default(0.5).describe('Of the contrastive loss.'),
  contrastDim: z.int().min(1).max(65_536).default(384).describe('Width of the contrastive projection.'),
});

export type HybridMimConfig = MethodSettings<typeof hybridMimSettings>;

/** Keys of the two encoder passes' dropout. */
const FIRST_PASS = 0;
const SECOND_PASS = 1;

/**
 * HybridMIM (paper section 3): two-level masking, partial reconstruction, number, location and consistency of
 * masked patches per sub-volume, and contrast between two dropout views of one masked crop.
 * @throws UsageError when sizes do not divide, or contrast is asked of a batch or network that has none to
 *   offer
 */
export function hybridMim(network: Network, batch: PretextBatch, config: HybridMimConfig): PretextMethod {
  const grid = patchGrid(batch.crop, config, network.marginStride);
  checkContrast(network, batch.size, config);
  checkLatent(network, config);
  const subVolumes = grid.subVolumes[0] * grid.subVolumes[1] * grid.subVolumes[2];
  const n = grid.patchesPerSubVolume;
  return {
    name: 'hybridmim',
    heads: hybridMimHeads(network, batch, n, config),
    chance: hybridMimChance(grid, batch, config),
    inputs: {
      images: { shape: [batch.size, ...batch.crop, network.inChannels], dtype: 'float32' },
      patchMask: { shape: [batch.size, ...grid.patches], dtype: 'float32' },
      locations: { shape: [batch.size, subVolumes, n], dtype: 'float32' },
      counts: { shape: [batch.size, subVolumes], dtype: 'int32' },
      ...scaledTargetInputs(batch, network.inChannels),
    },
    corruption: (seed, step) => ({ ...maskBatch(grid, config.maskRatio, batch.size, seed, step) }),
    losses: (inputs, parameters, training) =>
      hybridMimLosses(network, grid, config, inputs, parameters, training),
    reconstruct: (inputs, parameters) => hybridMimReconstruction(network, grid, config, inputs, parameters),
  };
}

/** Losses of the tasks that are switched on for a network that has learned nothing. */
function hybridMimChance(
  grid: PatchGrid,
  { size }: PretextBatch,
  { maskRatio, weights }: HybridMimConfig,
): Record<string, number> {
  const { number, location } = maskChance(grid, maskRatio);
  return {
    ...(weights.number > 0 && { number }),
    ...(weights.location > 0 && { location }),
    ...(weights.contrast > 0 && { contrast: contrastChance(size) }),
  };
}

/**
 * The linear heads of the tasks that are switched on: number [n + 1], location [n], contrast [contrastDim];
 * and the mask token.
 */
export function hybridMimHeads(
  {
    latentChannels,
    latentStride,
    inChannels,
  }: Pick<Network, 'latentChannels' | 'latentStride' | 'inChannels'>,
  { crop }: Pick<PretextBatch, 'crop'>,
  n: number,
  { weights, contrastDim, subVolume, subVolumeFeatures, contrastFeatures, mask }: HybridMimConfig,
): ParameterSpec[] {
  const ofSubVolume = latentChannels * (subVolumeFeatures === 'cells' ? (subVolume / latentStride) ** 3 : 1);
  const octants = product(crop.map((voxels) => halves(Math.floor(voxels / latentStride)).length));
  const ofCrop = latentChannels * (contrastFeatures === 'octants' ? octants : 1);
  return [
    ...(needsNumber(weights) ? linear(`${pretextPrefix}number`, ofSubVolume, n + 1) : []),
    ...(needsLocation(weights) ? linear(`${pretextPrefix}location`, ofSubVolume, n) : []),
    ...(weights.contrast > 0 ? linear(`${pretextPrefix}contrast`, ofCrop, contrastDim) : []),
    ...(mask === 'token' ? [maskToken(inChannels)] : []),
  ];
}

function hybridMimLosses(
  network: Network,
  grid: PatchGrid,
  config: HybridMimConfig,
  inputs: StepInputs,
  parameters: Parameters,
  training: boolean,
): LossTerms {
  const { weights } = config;
  const images = stepInput(inputs, 'images', 5);
  // [B, D, H, W, 1]
  const mask = nameScope('mask', () => voxelMask(stepInput(inputs, 'patchMask', 4), grid.patch));
  const maskedImages = nameScope('mask', () => maskedBy(config.mask, images, mask, parameters));
  const masked = config.mask === 'zero' ? { masked: mask } : {};
  const levels = network.encode(maskedImages, parameters, { training, dropoutKey: FIRST_PASS, ...masked });
  const latent = latentOf(levels);

  const terms: Partial<Record<keyof TaskWeights, Scalar>> = {};
  if (weights.reconstruction > 0) {
    const pass = { training, dropoutKey: FIRST_PASS };
    const prediction = output(config.output, network.decode(levels, parameters, pass, grid.margins));
    const target = cropToRegion(reconstructionTarget(images, inputs), grid.margins);
    terms.reconstruction = reconstructionLoss(
      prediction,
      target,
      cropToRegion(mask, grid.margins),
      config.reconstruction,
    );
  }
  // [B * S, features]
  const features =
    needsNumber(weights) || needsLocation(weights)
      ? subVolumeFeatures(latent, grid, config.subVolumeFeatures)
      : undefined;
  const locations = stepInput(inputs, 'locations', 3);
  const [batch, subVolumes, n] = locations.shape;
  const logits: Record<string, Tensor3D> = {}; // of the heads that some task needs
  if (features && needsNumber(weights))
    logits.number = linearHead('number', features, parameters).reshape([batch, subVolumes, n + 1]);
  if (features && needsLocation(weights))
    logits.location = linearHead('location', features, parameters).reshape([batch, subVolumes, n]);
  if (weights.number > 0)
    terms.number = numberLoss(entryOf(logits, 'number'), stepInput(inputs, 'counts', 2));
  if (weights.location > 0) terms.location = locationLoss(entryOf(logits, 'location'), locations);
  if (weights.consistency > 0) {
    terms.consistency = consistencyLoss(
      entryOf(logits, 'number'),
      entryOf(logits, 'location'),
      config.consistency,
    );
  }
  if (weights.contrast > 0 && training) {
    const pass = { training, dropoutKey: SECOND_PASS, ...masked };
    const second = latentOf(nameScope('second pass', () => network.encode(maskedImages, parameters, pass)));
    terms.contrast = contrastiveLoss(
      projection(latent, config.contrastFeatures, parameters),
      projection(second, config.contrastFeatures, parameters),
      config.temperature,
    );
  }
  return { total: weightedTotal(terms, weights), ...terms };
}

/** Masked voxels of the target region as the network fills them; masked ones beyond the region stay 0. */
function hybridMimReconstruction(
  network: Network,
  grid: PatchGrid,
  config: HybridMimConfig,
  inputs: StepInputs,
  parameters: Parameters,
): Reconstruction {
  const mask = voxelMask(stepInput(inputs, 'patchMask', 4), grid.patch); // [B, D, H, W, 1]
  const pass = { training: false, dropoutKey: FIRST_PASS };
  const levels = network.encode(
    maskedBy(config.mask, stepInput(inputs, 'images', 5), mask, parameters),
    parameters,
    { ...pass, ...(config.mask === 'zero' && { masked: mask }) },
  );
  const region = output(config.output, network.decode(levels, parameters, pass, grid.margins));
  const { before, after } = grid.margins;
  const padding = mapAxes(before, (voxels, axis): [number, number] => [voxels, after[axis]]);
  return filledMask(inputs, mask, tf.pad(region, [[0, 0], ...padding, [0, 0]]));
}

/**
 * Total loss (paper eq. 7): the sum of the tasks by their weights. Throws UsageError where contrast is the
 * only task, and left out.
 */
function weightedTotal(terms: Partial<Record<keyof TaskWeights, Scalar>>, weights: TaskWeights): Scalar {
  if (Object.keys(terms).length === 0) {
    throw new UsageError(
      'every weight in method.weights but contrast is 0, and held-out losses leave contrast out: set another one above 0, or train.validateEvery to 0',
      { field: 'method.weights' },
    );
  }
  const weighted = Object.entries(terms).map(([task, loss]) => loss.mul<Scalar>(entryOf(weights, task)));
  return addInOrder(weighted);
}

/** The images as the network sees them: masked voxels hold 0, or the learned token. [B, D, H, W, C] */
function maskedBy(
  kind: HybridMimConfig['mask'],
  images: Tensor5D,
  mask: Tensor5D,
  parameters: Parameters,
): Tensor5D {
  const visible = images.mul<Tensor5D>(tf.scalar(1).sub(mask));
  return kind === 'zero' ? visible : visible.add(mask.mul(tokenVoxel(parameters)));
}

const output = (kind: HybridMimConfig['output'], logits: Tensor5D): Tensor5D =>
  kind === 'sigmoid' ? nameScope('sigmoid', () => tf.sigmoid(logits)) : logits;

/**
 * What the heads know of each sub-volume: its cells of the latent side by side, or their mean. [B * S,
 * features]
 */
function subVolumeFeatures(
  latent: Tensor5D,
  grid: PatchGrid,
  kind: HybridMimConfig['subVolumeFeatures'],
): Tensor2D {
  const side = latent.shape[1] / grid.subVolumes[0];
  if (kind === 'cells') return voxelsToCells(latent, side);
  return avgPool3d(latent, side).reshape([-1, latent.shape[4]]);
}

/** Latent to the contrastive feature of each crop, by a linear projection. [B, contrastDim] */
function projection(
  latent: Tensor5D,
  kind: HybridMimConfig['contrastFeatures'],
  parameters: Parameters,
): Tensor2D {
  return linearHead('contrast', cropFeatures(latent, kind), parameters);
}

/**
 * What the contrastive projection takes: the mean over the latent's cells, [B, C], or over those of each
 * octant, [B, octants * C].
 */
export function cropFeatures(latent: Tensor5D, kind: HybridMimConfig['contrastFeatures']): Tensor2D {
  if (kind === 'mean') return latent.mean([1, 2, 3]);
  const [batch, depth, height, width, channels] = latent.shape;
  const means = halves(depth).flatMap(([z, d]) =>
    halves(height).flatMap(([y, h]) =>
      halves(width).map(([x, w]) =>
        tf.slice(latent, [0, z, y, x, 0], [batch, d, h, w, channels]).mean<Tensor2D>([1, 2, 3]),
      ),
    ),
  );
  return tf.concat(means, 1);
}

/**
 * First cell and length of the two halves of an axis; one cell is not halved, and of an odd number the second
 * half has one more.
 */
function halves(cells: number): [first: number, length: number][] {
  const half = Math.floor(cells / 2);
  return half === 0
    ? [[0, cells]]
    : [
        [0, half],
        [half, cells - half],
      ];
}

const needsNumber = ({ number, consistency }: TaskWeights): boolean => number > 0 || consistency > 0;
const needsLocation = ({ location, consistency }: TaskWeights): boolean => location > 0 || consistency > 0;

function checkContrast({ dropout }: Network, batch: number, { weights }: HybridMimConfig): void {
  if (Object.values(weights).every((weight) => weight === 0)) {
    throw new UsageError(
      'every weight in method.weights is 0, so that there is nothing to learn: set one above 0',
      { field: 'method.weights' },
    );
  }
  if (weights.contrast === 0) return;
  if (batch < 2) {
    throw new UsageError(
      `train.batchSize is ${batch}, but the contrastive loss needs at least 2: a batch of 1 has no ` +
        `negatives; raise it or set method.weights.contrast to 0`,
      { field: 'train.batchSize', found: batch, expected: 2 },
    );
  }
  if (dropout === 0) {
    throw new UsageError(
      `network.dropout is 0, but the contrastive loss compares two dropout views of one crop: raise it or set method.weights.contrast to 0`,
      { field: 'network.dropout', found: 0 },
    );
  }
}

function checkLatent({ name, latentStride }: Network, { subVolume, weights }: HybridMimConfig): void {
  if (!needsNumber(weights) && !needsLocation(weights)) return;
  if (subVolume % latentStride === 0) return;
  const nearest = Math.ceil(subVolume / latentStride) * latentStride;
  throw new UsageError(
    `method.subVolume is ${subVolume} voxels, but one cell of the latent of ${name} spans ${latentStride}: sub-volumes that ` +
      'share a cell cannot be told from each other by the number and location tasks; ' +
      `use ${nearest}, or set method.weights.number, location and consistency to 0`,
    { field: 'method.subVolume', found: subVolume, expected: nearest },
  );
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The contrast of one crop with others needs two. */
export const leastHybridMimBatch = ({ weights }: HybridMimConfig): number => (weights.contrast > 0 ? 2 : 1);
