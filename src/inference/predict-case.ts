import { type Preprocessing, preprocessImage, readChannels } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { type Grid, type Modality, modalityOfLowest, type Volume } from '../volume/index.js';
import type { LabelScheme } from './label-scheme.js';
import { asSlab } from './logit-slab.js';
import type { Predictor } from './predictor.js';
import { requireNumbers } from './require-numbers.js';
import type { WindowProgress } from './sliding-window.js';
import { labelOnGrid, logitsOnGrid, openLabel } from './to-label.js';

export interface PredictCaseOptions {
  /** One file with all channels, or one a channel. */
  readonly images: readonly string[];
  /** As the training cases were prepared; `none`: the scan as it is, in its own orientation. */
  readonly preprocessing: Preprocessing | 'none';
  readonly scheme: LabelScheme;
  /** Of the scans that the network was trained on; absent: not known, or the user says how a scan is prepared. */
  readonly modality?: Modality | undefined;
  /** Hears what is odd about the scan. */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly withLogits?: boolean;
  readonly progress?: WindowProgress;
}

export interface CasePrediction {
  /** In the scan's own space and grid. */
  readonly label: Volume;
  readonly logits?: Volume;
}

/**
 * Segments a scan: prepared as the training cases were, windows over the whole volume, and back to the scan's
 * own grid. Logits are held slices by slices, unless they are asked for.
 * @throws DataError when the scan cannot be read, holds NaN or infinity, has channel files that do not
 *   share one grid, or other channels than the network takes; WorkError when the network's output is not
 *   finite
 */
export async function predictCase(
  predictor: Predictor,
  options: PredictCaseOptions,
): Promise<CasePrediction> {
  const { images, scheme, progress } = options;
  const { image, grid } = await preparedScan(predictor, options);
  if (!options.withLogits)
    return { label: await predictLabel(predictor, image, { grid, scheme, images, progress }) };
  const logits = await predictor.logits(image, progress);
  requireNumbers(asSlab(logits), images);
  return { label: labelOnGrid(logits, grid, scheme), logits: logitsOnGrid(logits, grid) };
}

export interface PredictLabelOptions {
  /** Of the label. */
  readonly grid: Grid;
  readonly scheme: LabelScheme;
  /** Where the image comes from, for errors. */
  readonly images: readonly string[];
  readonly progress?: WindowProgress | undefined;
}

/**
 * The label of a prepared image, on another grid.
 * @throws WorkError when the network's output is not finite
 */
export async function predictLabel(
  predictor: Predictor,
  image: Volume,
  { grid, scheme, images, progress }: PredictLabelOptions,
): Promise<Volume> {
  const label = openLabel(image, grid, scheme);
  for await (const slab of predictor.slabs(image, progress)) {
    requireNumbers(slab, images);
    label.add(slab);
  }
  return label.finished();
}

/** The scan as the network takes it, and its own grid; the scan itself need not be kept. */
async function preparedScan(
  { network }: Predictor,
  { images, preprocessing, modality, onNote }: PredictCaseOptions,
): Promise<{ image: Volume; grid: Grid }> {
  const source = await readChannels(images, preprocessing === 'none' ? undefined : preprocessing.notFinite);
  const { inChannels } = network;
  if (source.channels !== inChannels) {
    throw new DataError(
      `${images.join(', ')} has ${source.channels} channels, but the network takes ${inChannels}`,
      {
        ...(images[0] !== undefined && { file: images[0] }),
        found: source.channels,
        expected: inChannels,
      },
    );
  }
  if (modality !== undefined) checkModality(source, modality, images.join(', '), onNote);
  const { size, spacing, affine } = source;
  const image =
    preprocessing === 'none' ? source : preprocessImage(source, preprocessing, images.join(', ')).image;
  return { image, grid: { size, spacing, affine } };
}

/**
 * A CT cannot be meant for a network that was trained on MR. A CT may be stored without values below 0, so
 * that what looks like MR to a network of CT is only said.
 * @throws DataError for a CT before a network of MR
 */
function checkModality(
  { data }: Pick<Volume, 'data'>,
  trained: Modality,
  file: string,
  onNote: ((note: string) => void) | undefined,
): void {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  const like = modalityOfLowest(lowest);
  if (like === undefined || like === trained) return;
  const found = `${file} has values from ${lowest} to ${highest}, as ${like.toUpperCase()} has, but the network was trained on ${trained.toUpperCase()}`;
  if (trained === 'ct') {
    onNote?.(`${found}: is it in HU?`);
    return;
  }
  throw new DataError(`${found}: give a network of CT, or say with --preset how the scan is to be prepared`, {
    file,
    field: 'modality',
    found: like,
    expected: trained,
  });
}
