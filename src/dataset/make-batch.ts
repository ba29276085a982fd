import { join } from 'node:path';
import type { Triple } from '../volume/index.js';
import { type Augmentation, type AugmentationProbabilities, noAugmentation, placeCrop, planAugmentation } from './augmentation.js';
import { withChunkedFile } from './chunked-file.js';
import { type CropPlanOptions, planCrop } from './crop-plan.js';
import type { PreparedCase } from './prepared-index.js';

export interface BatchOptions extends CropPlanOptions {
  readonly preparedDir: string;
  readonly cases: readonly Pick<PreparedCase, 'id' | 'image' | 'label' | 'size' | 'classVoxels'>[];
  readonly channels: number;
  readonly withLabels: boolean;
  readonly augmentation?: AugmentationProbabilities;
}

export interface CropProvenance {
  readonly caseId: string;
  /** First voxel [x, y, z] of the crop on the prepared grid, before augmentation. */
  readonly start: Triple;
  readonly augmentation?: Augmentation;
}

export interface Batch {
  /** [B, D, H, W, C] */
  readonly images: Float32Array;
  /** [B, D, H, W] */
  readonly labels?: Int32Array;
  readonly provenance: readonly CropProvenance[];
}

/**
 * The batch of `step`, a function of the options and the step alone. Reads only the chunks that its crops touch.
 * @throws DataError when a prepared file is missing or damaged
 */
export function makeBatch(options: BatchOptions, step: number): Batch {
  const { cropSize, batchSize, channels, withLabels } = options;
  const voxels = cropSize[0] * cropSize[1] * cropSize[2];
  const images = new Float32Array(batchSize * voxels * channels);
  const labels = withLabels ? new Int32Array(batchSize * voxels) : undefined;
  const provenance = Array.from({ length: batchSize }, (_, item) => {
    const { caseIndex, start, augmentation } = planItem(options, step, item);
    const source = options.cases[caseIndex]!;
    const applied = augmentation ?? noAugmentation;
    const image = readCrop(options, source.image, start);
    placeCrop(image, cropSize, channels, applied, images.subarray(item * voxels * channels, (item + 1) * voxels * channels));
    if (labels) {
      const geometryOnly = { ...applied, scale: 1, shift: 0 };
      placeCrop(readCrop(options, source.label!, start), cropSize, 1, geometryOnly, labels.subarray(item * voxels, (item + 1) * voxels));
    }
    return { caseId: source.id, start, ...(augmentation && { augmentation }) };
  });
  return { images, ...(labels && { labels }), provenance };
}

function planItem(options: BatchOptions, step: number, item: number) {
  const { cases, preparedDir, seed, cropSize, augmentation } = options;
  const request = planCrop(options, step, item, (caseIndex, label, rank) =>
    withChunkedFile(join(preparedDir, cases[caseIndex]!.label!), (open) => open.readClassPosition(label, rank)),
  );
  return augmentation
    ? { ...request, augmentation: planAugmentation(seed, step, item, augmentation, cropSize) }
    : { ...request, augmentation: undefined };
}

function readCrop({ preparedDir, cropSize }: BatchOptions, file: string, start: Triple) {
  return withChunkedFile(join(preparedDir, file), (open) => open.readBox(start, cropSize));
}
