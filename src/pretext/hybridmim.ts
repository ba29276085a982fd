import { z } from 'zod';
import { entryOf } from '../at.js';
import {
  addInOrder,
  avgPool3d,
  type LossTerms,
  nameScope,
  type Scalar,
  type Tensor,
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
import { cropToRegion, maskBatch, type PatchGrid, patchGrid, voxelMask } from './patch-grid.js';
import { reconstructionTarget, scaledTargetInputs } from './scaled-targets.js';

const weight = z.number().min(0);

/** Weight of each task in the total (paper eq. 7); 0 switches the task off, and its compute. */
const taskWeights = z.strictObject({
  reconstruction: weight.default(1),
  number: weight.default(0.1),
  location: weight.default(0.1),
  consistency: weight.default(0.01),
  contrast: weight.default(0.1),
});

export type TaskWeights = Readonly<z.output<typeof taskWeights>>;

/** The settings of HybridMIM; the defaults are the paper's. */
export const hybridMimSettings = z.strictObject({
  name: z.literal('hybridmim').optional().default('hybridmim'),
  /** Side of a sub-volume in voxels, a whole number of patches. */
  subVolume: voxels.default(32),
  /** Side of a patch in voxels. */
  patch: voxels.default(16),
  /** Side of the target region in voxels; the crop's own side: not partial. */
  region: voxels,
  maskRatio: openShare.default(0.4),
  weights: taskWeights.prefault({}),
  reconstruction: z.enum(['l2', 'l1']).default('l2'),
  consistency: z.enum(['soft', 'hard']).default('soft'),
  /** Of the contrastive loss. */
  temperature: z.number().gt(0).default(0.5),
  /** Width of the contrastive projection. */
  contrastDim: voxels.default(384),
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
    heads: hybridMimHeads(network.latentChannels, n, config),
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
    reconstruct: (inputs, parameters) => hybridMimReconstruction(network, grid, inputs, parameters),
  };
}

/**
 * The linear heads of the tasks that are switched on: number [n + 1], location [n], contrast [contrastDim].
 */
export function hybridMimHeads(
  latentChannels: number,
  n: number,
  { weights, contrastDim }: HybridMimConfig,
): ParameterSpec[] {
  return [
    ...(needsNumber(weights) ? linear(`${pretextPrefix}number`, latentChannels, n + 1) : []),
    ...(needsLocation(weights) ? linear(`${pretextPrefix}location`, latentChannels, n) : []),
    ...(weights.contrast > 0 ? linear(`${pretextPrefix}contrast`, latentChannels, contrastDim) : []),
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
  const maskedImages = nameScope('mask', () => images.mul<Tensor5D>(tf.scalar(1).sub(mask)));
  const levels = network.encode(maskedImages, parameters, { training, dropoutKey: FIRST_PASS, masked: mask });
  const latent = latentOf(levels);

  const terms: Partial<Record<keyof TaskWeights, Scalar>> = {};
  if (weights.reconstruction > 0) {
    const prediction = network.decode(levels, parameters, { training, dropoutKey: FIRST_PASS }, grid.margins);
    const target = cropToRegion(reconstructionTarget(images, inputs), grid.margins);
    terms.reconstruction = reconstructionLoss(
      prediction,
      target,
      cropToRegion(mask, grid.margins),
      config.reconstruction,
    );
  }
  // [B * S, C]
  const cells = needsNumber(weights) || needsLocation(weights) ? perSubVolume(latent, grid) : undefined;
  const locations = stepInput(inputs, 'locations', 3);
  const [batch, subVolumes, n] = locations.shape;
  const logits: Record<string, Tensor3D> = {}; // of the heads that some task needs
  if (cells && needsNumber(weights))
    logits.number = linearHead('number', cells, parameters).reshape([batch, subVolumes, n + 1]);
  if (cells && needsLocation(weights))
    logits.location = linearHead('location', cells, parameters).reshape([batch, subVolumes, n]);
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
    const pass = { training, dropoutKey: SECOND_PASS, masked: mask };
    const second = latentOf(nameScope('second pass', () => network.encode(maskedImages, parameters, pass)));
    terms.contrast = contrastiveLoss(
      projection(latent, parameters),
      projection(second, parameters),
      config.temperature,
    );
  }
  return { total: weightedTotal(terms, weights), ...terms };
}

/**
 * Masked voxels of the target region as the network fills them; visible ones, and masked ones beyond the
 * region, as it saw them.
 */
function hybridMimReconstruction(
  network: Network,
  grid: PatchGrid,
  inputs: StepInputs,
  parameters: Parameters,
): Reconstruction {
  const mask = voxelMask(stepInput(inputs, 'patchMask', 4), grid.patch); // [B, D, H, W, 1]
  const seen = stepInput(inputs, 'images', 5).mul<Tensor5D>(tf.scalar(1).sub(mask));
  const pass = { training: false, dropoutKey: FIRST_PASS };
  const region = network.decode(
    network.encode(seen, parameters, { ...pass, masked: mask }),
    parameters,
    pass,
    grid.margins,
  );
  const { before, after } = grid.margins;
  const padding = mapAxes(before, (voxels, axis): [number, number] => [voxels, after[axis]]);
  const filled = tf.pad(region, [[0, 0], ...padding, [0, 0]]).mul(mask);
  return { seen, prediction: seen.add(filled) };
}

/** Total loss (paper eq. 7): the sum of the tasks by their weights. Throws UsageError where contrast is the only task, and left out. */
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

/**
 * The latent averaged (or repeated, where a cell spans several sub-volumes) to one feature a sub-volume:
 * [B * S, C].
 */
function perSubVolume(latent: Tensor5D, grid: PatchGrid): Tensor2D {
  const channels = latent.shape[4];
  const cells = latent.shape[1] / grid.subVolumes[0];
  if (cells >= 1) return avgPool3d(latent, cells).reshape([-1, channels]);
  const times = 1 / cells;
  const repeated = [1, 2, 3].reduce<Tensor>((x, axis) => {
    const before = x.shape.slice(0, axis + 1);
    const after = x.shape.slice(axis + 1);
    const grown = x.shape.map((length, i) => (i === axis ? length * times : length));
    const tiled = x.reshape([product(before), 1, product(after)]).tile([1, times, 1]);
    return tiled.reshape(grown);
  }, latent);
  return repeated.reshape([-1, channels]);
}

/**
 * Latent to the contrastive feature of each item: global average, then a linear projection. [B, contrastDim]
 */
function projection(latent: Tensor5D, parameters: Parameters): Tensor2D {
  return linearHead('contrast', latent.mean([1, 2, 3]), parameters);
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
      `network.dropout is 0, but the contrastive loss compares two dropout views of one crop: raise ' + 'it or set method.weights.contrast to 0`,
      { field: 'network.dropout', found: 0 },
    );
  }
}

function checkLatent({ name, latentStride }: Network, { subVolume }: HybridMimConfig): void {
  if (subVolume % latentStride === 0 || latentStride % subVolume === 0) return;
  throw new UsageError(
    `method.subVolume ${subVolume} is neither a multiple nor a part of ${latentStride} voxels, ` +
      `which one cell of the latent of ${name} spans: use ${2 * latentStride}`,
    { field: 'method.subVolume', found: subVolume },
  );
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The contrast of one crop with others needs two. */
export const leastHybridMimBatch = ({ weights }: HybridMimConfig): number => (weights.contrast > 0 ? 2 : 1);
