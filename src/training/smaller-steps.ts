import { HybridMimError } from '../errors.js';
import type { FileSize } from '../network/index.js';
import { leastBatch } from '../pretext/index.js';
import { type StepOfRun, wholeBatch } from './estimate-step.js';

/** Voxels by which a crop is made shorter where the method does not divide it into sub-volumes or patches. */
const defaultUnit = 16;

/**
 * The steps of runs that are like one but take less memory, the largest first: half the batch as often as the
 * method allows, then crops whose longest side is shorter by a sub-volume each, with a target region that fits.
 * Settings that do not go together are left out.
 */
export function* smallerSteps(step: StepOfRun): Generator<StepOfRun> {
  const least = step.kind === 'pretrain' ? leastBatch(step.settings.method) : 1;
  let present = step;
  while (present.settings.train.batchSize > least) {
    const half = Math.max(least, Math.floor(present.settings.train.batchSize / 2));
    present = withBatch(present, half);
    if (goesTogether(present)) yield present;
  }
  const unit = cropUnit(step);
  let crop = step.settings.data.cropSize;
  for (;;) {
    const longest = Math.max(...crop);
    if (longest <= unit) return;
    const axis = crop.indexOf(longest);
    crop = [shorter(crop, axis, 0, unit), shorter(crop, axis, 1, unit), shorter(crop, axis, 2, unit)];
    const smaller = withCrop(present, crop);
    if (smaller) yield smaller;
  }
}

const shorter = (crop: FileSize, axis: number, i: 0 | 1 | 2, unit: number): number =>
  i === axis ? Math.max(unit, Math.ceil(crop[i] / unit) * unit - unit) : crop[i];

/** `train.batchSize 2, data.cropSize [64,64,64] and method.region 32`: in what one step differs from another. */
export function differenceOf(smaller: StepOfRun, from: StepOfRun): string {
  const { train, data } = smaller.settings;
  const region = regionOf(smaller);
  const parts = [
    ...(train.batchSize === from.settings.train.batchSize ? [] : [`train.batchSize ${train.batchSize}`]),
    ...(String(data.cropSize) === String(from.settings.data.cropSize)
      ? []
      : [`data.cropSize [${data.cropSize}]`]),
    ...(region === regionOf(from) ? [] : [`method.region ${region}`]),
  ];
  return [parts.slice(0, -1).join(', '), parts.at(-1)].filter(Boolean).join(' and ');
}

function withBatch(step: StepOfRun, batchSize: number): StepOfRun {
  return step.kind === 'pretrain'
    ? { ...step, settings: { ...step.settings, train: { ...step.settings.train, batchSize } } }
    : { ...step, settings: { ...step.settings, train: { ...step.settings.train, batchSize } } };
}

/** The same step over another crop, with the largest target region up to its own that goes with it. */
function withCrop(step: StepOfRun, cropSize: FileSize): StepOfRun | undefined {
  if (step.kind === 'finetune') {
    const { settings } = step;
    const smaller = { ...step, settings: { ...settings, data: { ...settings.data, cropSize } } };
    return goesTogether(smaller) ? smaller : undefined;
  }
  const { settings } = step;
  const ofCrop = { ...step, settings: { ...settings, data: { ...settings.data, cropSize } } };
  const { method } = settings;
  if (!('region' in method)) return goesTogether(ofCrop) ? ofCrop : undefined;
  const unit = cropUnit(step);
  for (let region = Math.min(method.region, ...cropSize); region >= unit; region--) {
    if (region % unit !== 0) continue;
    const smaller = { ...ofCrop, settings: { ...ofCrop.settings, method: { ...method, region } } };
    if (goesTogether(smaller)) return smaller;
  }
  return undefined;
}

function cropUnit(step: StepOfRun): number {
  if (step.kind === 'finetune') return defaultUnit;
  const { method } = step.settings;
  if ('subVolume' in method) return method.subVolume;
  return 'patch' in method ? Math.max(method.patch, defaultUnit) : defaultUnit;
}

const regionOf = (step: StepOfRun): number | undefined =>
  step.kind === 'pretrain' && 'region' in step.settings.method ? step.settings.method.region : undefined;

function goesTogether(step: StepOfRun): boolean {
  try {
    wholeBatch(step);
    return true;
  } catch (error) {
    if (error instanceof HybridMimError) return false;
    throw error;
  }
}
