import { type Preprocessing, preprocessImage } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { readVolume, type Volume } from '../volume/index.js';
import type { LabelScheme } from './label-scheme.js';
import type { Predictor } from './predictor.js';
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
 * @throws DataError when the scan cannot be read, or has other channels than the network takes
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
  const image = preprocessing === 'none' ? { ...source, data: Float32Array.from(source.data) } : preprocessImage(source, preprocessing).image;
  const logits = await predictor.logits(image, watch);
  const label = labelOnGrid(logits, source, scheme);
  return options.withLogits ? { label, logits: logitsOnGrid(logits, source) } : { label };
}

async function readChannels(images: readonly string[]): Promise<Volume> {
  const volumes: Volume[] = [];
  for (const file of images) volumes.push(await readVolume(file));
  const [first] = volumes as [Volume];
  if (volumes.length === 1) return first;
  const data = new Float32Array(volumes.reduce((sum, volume) => sum + volume.data.length, 0));
  let at = 0;
  for (const volume of volumes) {
    data.set(volume.data, at);
    at += volume.data.length;
  }
  return { ...first, channels: volumes.reduce((sum, { channels }) => sum + channels, 0), data };
}
