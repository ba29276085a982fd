import { type Preprocessing, preprocessImage, readChannels } from '../dataset/index.js';
import { DataError } from '../errors.js';
import type { Volume } from '../volume/index.js';
import type { LabelScheme } from './label-scheme.js';
import type { Predictor } from './predictor.js';
import { requireNumbers } from './require-numbers.js';
import type { WindowOptions } from './sliding-window.js';
import { labelOnGrid, logitsOnGrid } from './to-label.js';

export interface PredictCaseOptions {
  /** One file with all channels, or one a channel. */
  readonly images: readonly string[];
  /** As the training cases were prepared; `none`: the scan as it is, in its own orientation. */
  readonly preprocessing: Preprocessing | 'none';
  readonly scheme: LabelScheme;
  readonly withLogits?: boolean;
  readonly watch?: Pick<WindowOptions, 'onWindow' | 'signal'>;
}

export interface CasePrediction {
  /** In the scan's own space and grid. */
  readonly label: Volume;
  readonly logits?: Volume;
}

/**
 * Segments a scan: prepared as the training cases were, windows over the whole volume, and back to the scan's own grid.
 * @throws DataError when the scan cannot be read, holds NaN or infinity, has channel files that do not share one grid, or other
 * channels than the network takes; WorkError when the network's output is not finite
 */
export async function predictCase(predictor: Predictor, options: PredictCaseOptions): Promise<CasePrediction> {
  const { images, preprocessing, scheme, watch } = options;
  const source = await readChannels(images);
  const { inChannels } = predictor.network;
  if (source.channels !== inChannels) {
    throw new DataError(`${images.join(', ')} has ${source.channels} channels, but the network takes ${inChannels}`, {
      ...(images[0] !== undefined && { file: images[0] }),
      found: source.channels,
      expected: inChannels,
    });
  }
  const image =
    preprocessing === 'none' ? { ...source, data: Float32Array.from(source.data) } : preprocessImage(source, preprocessing, images.join(', ')).image;
  const logits = await predictor.logits(image, watch);
  requireNumbers(logits, images);
  const label = labelOnGrid(logits, source, scheme);
  return options.withLogits ? { label, logits: logitsOnGrid(logits, source) } : { label };
}
