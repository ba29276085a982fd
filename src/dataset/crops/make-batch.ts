import { join } from 'node:path';
import { itemAt } from '../../at.js';
import {
  type CorruptionRecipe,
  type CorruptionStep,
  type Crop,
  corrupt,
  type SpareArrays,
  spareArrays,
} from '../../corruption/index.js';
import { DataError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';
import type { Triple } from '../../volume/index.js';
import { withChunkedFile } from '../cache/chunked-file.js';
import type { PreparedCase } from '../index/prepared-index.js';
import {
  type Augmentation,
  type AugmentationProbabilities,
  noAugmentation,
  placeCrop,
  planAugmentation,
} from './augmentation.js';
import {
  type CropPlanOptions,
  type LabelledCrop,
  planCrop,
  plannedCrop,
  type VisitOrder,
  visitOrder,
} from './crop-plan.js';
import { toUnit, type UnitScale } from './unit-intensity.js';

/** A pretext method's corruption of every crop. */
export interface CropCorruption {
  readonly recipe: CorruptionRecipe;
  /** Held-out crops draw from streams of their own, so that no training step has their corruption. */
  readonly heldOut: boolean;
}

/** What a batch needs of a prepared case. */
export interface BatchCase
  extends Pick<PreparedCase, 'id' | 'image' | 'label' | 'size' | 'classVoxels' | 'annotatedVoxels'> {
  /** Absent: the prepared values lie in [0, 1]. Only corruptions ask. */
  readonly unitScales?: readonly UnitScale[];
}

/** What decides what is in the batches. */
export interface BatchOptions extends CropPlanOptions {
  readonly preparedDir: string;
  readonly cases: readonly BatchCase[];
  readonly channels: number;
  readonly withLabels: boolean;
  readonly augmentation?: AugmentationProbabilities;
  readonly corruption?: CropCorruption;
  /** Crops to show instead of drawn ones. */
  readonly crops?: readonly LabelledCrop[];
}

/** Where a crop comes from and what was done to it. */
export interface CropProvenance {
  readonly caseId: string;
  /** First voxel [x, y, z] of the crop on the prepared grid, before augmentation. */
  readonly start: Triple;
  readonly augmentation?: Augmentation;
  readonly corruption?: readonly CorruptionStep[];
}

/** The crops of one step. */
export interface Batch {
  /** [B, D, H, W, C]; in [0, 1] where they are corrupted. */
  readonly images: Float32Array;
  /** [B, D, H, W, C], where the loader corrupts: what the network is to restore `images` from. */
  readonly corrupted?: Float32Array;
  /** [B], where crops are given: the class of each. */
  readonly words?: Int32Array;
  /** [B, D, H, W] */
  readonly labels?: Int32Array;
  readonly provenance: readonly CropProvenance[];
}

/** The batch of a step. */
export type BatchMaker = (step: number) => Batch;

/**
 * Makes the batch of a step, a function of the options and the step alone: what it keeps from one to the next,
 * the order of an epoch and memory, changes no batch. Reads only the chunks that the crops touch. What is made
 * throws DataError when a prepared file is missing or damaged.
 */
export function batchMaker(options: BatchOptions): BatchMaker {
  const { cases, crops, cropSize, channels, seed } = options;
  const kept: Kept = {
    order: visitOrder(seed, (crops ?? cases).length),
    spare: spareArrays(cropSize[0] * cropSize[1] * cropSize[2] * channels),
  };
  return (step) => makeBatch(options, kept, step);
}

/** What is kept from one batch to the next. */
interface Kept {
  readonly order: VisitOrder;
  /** Of the length of a crop's image. */
  readonly spare: SpareArrays;
}

function makeBatch(options: BatchOptions, kept: Kept, step: number): Batch {
  const { cropSize, batchSize, channels, withLabels, crops } = options;
  const voxels = cropSize[0] * cropSize[1] * cropSize[2];
  const images = new Float32Array(batchSize * voxels * channels);
  const labels = withLabels ? new Int32Array(batchSize * voxels) : undefined;
  const corrupted = options.corruption && new Float32Array(images.length);
  const { order, spare } = kept;
  const provenance = Array.from({ length: batchSize }, (_, item) => {
    const { caseIndex, start, augmentation } = planItem(options, order, step, item);
    const source = itemAt(options.cases, caseIndex);
    const applied = augmentation ?? noAugmentation;
    const place = (crop: ArrayLike<number>, batch: Float32Array) =>
      placeCrop(
        crop,
        cropSize,
        channels,
        applied,
        batch.subarray(item * voxels * channels, (item + 1) * voxels * channels),
      );
    const into = spare.take();
    const crop = readCrop(options, source.image, start, into);
    if (options.corruption && corrupted) {
      const outcome = corruptItem(
        options,
        options.corruption,
        { data: toUnit(crop, source.unitScales, channels), size: cropSize, channels },
        step,
        item,
        spare,
      );
      place(outcome.image.data, images);
      place(outcome.corrupted.data, corrupted);
      for (const { data } of [outcome.image, outcome.corrupted, { data: into }]) spare.giveBack(data);
      return { caseId: source.id, start, corruption: outcome.steps };
    }
    place(crop, images);
    spare.giveBack(into);
    if (labels) {
      const geometryOnly = { ...applied, scale: 1, shift: 0 };
      placeCrop(
        readCrop(options, labelFile(source), start),
        cropSize,
        1,
        geometryOnly,
        labels.subarray(item * voxels, (item + 1) * voxels),
      );
    }
    return { caseId: source.id, start, ...(augmentation && { augmentation }) };
  });
  const words =
    crops &&
    Int32Array.from(
      { length: batchSize },
      (_, item) => plannedCrop(crops, order, batchSize, step, item).word,
    );
  return {
    images,
    ...(corrupted && { corrupted }),
    ...(words && { words }),
    ...(labels && { labels }),
    provenance,
  };
}

/** The corruption of item `item` of `step`: a function of the seed, the step and the item alone. */
function corruptItem(
  { seed }: BatchOptions,
  { recipe, heldOut }: CropCorruption,
  crop: Crop,
  step: number,
  item: number,
  spare: SpareArrays,
) {
  return corrupt(crop, recipe, randomStream(seed, 'corrupt', heldOut ? -1 - step : step, item), spare);
}

function planItem(options: BatchOptions, order: VisitOrder, step: number, item: number) {
  const { cases, preparedDir, seed, batchSize, cropSize, augmentation, crops } = options;
  const request = crops
    ? plannedCrop(crops, order, batchSize, step, item)
    : planCrop(options, order, step, item, (caseIndex, label, rank) =>
        withChunkedFile(join(preparedDir, labelFile(itemAt(cases, caseIndex))), (open) =>
          open.readClassPosition(label, rank),
        ),
      );
  return augmentation
    ? { ...request, augmentation: planAugmentation(seed, step, item, augmentation, cropSize) }
    : { ...request, augmentation: undefined };
}

/** @throws DataError when the case has no label */
function labelFile({ id, label }: BatchCase): string {
  if (label !== undefined) return label;
  throw new DataError(`case ${id} has no label, but its crops need one`, { field: 'label' });
}

function readCrop({ preparedDir, cropSize }: BatchOptions, file: string, start: Triple, into?: Float32Array) {
  return withChunkedFile(join(preparedDir, file), (open) => open.readBox(start, cropSize, into));
}
