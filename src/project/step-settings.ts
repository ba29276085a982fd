import {
  checkConfig,
  type FinetuneConfig,
  finetuneConfig,
  type PretrainConfig,
  pretrainConfig,
} from '../config/index.js';
import type { Triple } from '../volume/index.js';
import type { Fingerprint } from './fingerprint.js';
import { cropFor } from './rules/crop.js';
import { type Masking, maskingFor, regionFor } from './rules/masking.js';

/** Where the prepared scans lie, and the names of their datasets: all of them, and those with labels. */
export interface Place {
  readonly prepared: string;
  readonly datasets: readonly string[];
  readonly labelled: readonly string[];
}

/** What follows from the fingerprint, the voxels of a crop and the width. */
export interface StepSizes {
  readonly masking: Masking;
  readonly region: number;
  readonly pretrainCrop: Triple;
  readonly finetuneCrop: Triple;
  readonly features: readonly [number, number, number, number, number, number];
}

/** The paper's crop (4.3); one that is larger was not tried. */
export const cropBudgets = [96 ** 3, 80 ** 3, 64 ** 3, 48 ** 3, 32 ** 3];

/** MONAI's layout of the UNet, at the width of this project's experiments and below it. */
export const widths = [16, 32, 64];

/**
 * Sizes of crops, masks and network.
 * @param cropBudget voxels of a crop at most
 * @param width channels of the network's first level
 */
export function sizesFor(
  { targetSpacing, targetSize }: Fingerprint,
  cropBudget: number,
  width: number,
): StepSizes {
  const [largest = 0] = cropBudgets;
  const masking = maskingFor(cropFor(targetSpacing, targetSize, largest, 8, 'up'));
  const cell = masking.pools.reduce<number>((side, pool) => side * pool, 1);
  const pretrainCrop = cropFor(targetSpacing, targetSize, cropBudget, masking.subVolume, 'nearest');
  return {
    masking,
    pretrainCrop,
    region: regionFor(pretrainCrop, masking),
    finetuneCrop: cropFor(targetSpacing, targetSize, cropBudget, cell, 'up'),
    features: [width, width, 2 * width, 4 * width, 8 * width, width],
  };
}

/** A pre-training of one step: what is measured, and what the plan gives its length. */
export function pretrainingOf(
  sizes: StepSizes,
  batchSize: number,
  { prepared, datasets }: Place,
): PretrainConfig {
  const { masking, region, pretrainCrop, features } = sizes;
  return checkConfig(
    pretrainConfig,
    {
      data: {
        prepared,
        datasets,
        cropSize: pretrainCrop,
        prefetch: 2,
        mode: 'task-specific',
      },
      network: { name: 'unet', features, pools: masking.pools, dropout: 0.1 },
      method: {
        name: 'hybridmim',
        subVolume: masking.subVolume,
        patch: masking.patch,
        region,
        mask: 'token',
        contrastDim: Math.min(384, 4 * features[0]),
      },
      train: { batchSize, steps: 1 },
    },
    'plan',
  );
}

/** A fine-tuning of one step. */
export function finetuningOf(
  sizes: StepSizes,
  batchSize: number,
  { prepared, labelled }: Place,
): FinetuneConfig {
  const { masking, finetuneCrop, features } = sizes;
  return checkConfig(
    finetuneConfig,
    {
      data: { prepared, datasets: labelled, cropSize: finetuneCrop, prefetch: 2 },
      network: { name: 'unet', features, pools: masking.pools, dropout: 0 },
      transfer: 'encoder',
      train: { batchSize, steps: 1 },
      inference: { window: finetuneCrop },
    },
    'plan',
  );
}
