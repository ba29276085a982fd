import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { windowCount } from '../inference/index.js';
import { mapAxes, openSlices, type Triple, uprightSlices } from '../volume/index.js';
import type { OpenedWeights } from '../weights/index.js';
import { listScans } from './list-scans.js';
import { refuseReplacement } from './predict-scans.js';

/** What a prediction would take, by one window that was predicted; nothing is written. */
export interface PredictionDryRun {
  readonly scans: number;
  readonly windows: number;
  readonly windowSeconds: number;
  readonly seconds: number;
  /** Of the process, with the largest scan and its logits. */
  readonly peakBytes: number;
  /** Of the labels before they are compressed, and what is free. */
  readonly diskBytes: number;
  readonly freeDiskBytes: number;
}

/**
 * Predicts one window of noise and counts those of the scans by their headers.
 * @throws DataError for a scan whose header cannot be read, UsageError as `predictScans` does
 */
export async function dryRunPrediction({
  opened,
  input,
  out,
}: {
  readonly opened: OpenedWeights;
  readonly input: readonly string[];
  readonly out: string;
}): Promise<PredictionDryRun> {
  const { predictor, preprocessing, windows, scheme } = opened;
  const { inChannels } = predictor.network;
  const scans = await listScans(input, out, inChannels);
  refuseReplacement(scans);
  const sizes: { own: Triple; prepared: Triple }[] = [];
  for (const { images } of scans) {
    for (const image of images.slice(0, 1)) {
      const slices = await openSlices(image);
      const spacing = preprocessing === 'none' ? null : preprocessing.spacing;
      sizes.push({ own: slices.size, prepared: uprightSlices(slices, spacing, 'linear').grid.size });
    }
  }
  const size = windows.window;
  const volume = {
    size,
    spacing: [1, 1, 1] as const,
    affine: { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] as const },
    channels: inChannels,
    data: new Float32Array(inChannels * size[0] * size[1] * size[2]),
  };
  await predictor.logits(volume); // the first also makes the graph ready
  const started = performance.now();
  await predictor.logits(volume);
  const windowSeconds = (performance.now() - started) / 1000;
  const count = sizes.reduce((sum, { prepared }) => sum + windowCount(prepared, windows), 0);
  const voxels = ([x, y, z]: Triple) => x * y * z;
  const largest = Math.max(...sizes.map(({ own, prepared }) => Math.max(voxels(own), voxels(prepared))));
  // A scan as float32, resampled and scaled, its label, and slices of its logits.
  const scanBytes =
    largest * (4 * inChannels * 3 + 2) + 4 * scheme.names.length * voxels(mapAxes(size, (n) => 2 * n));
  const { bavail, bsize } = await statfs(await existingFolder(out));
  return {
    scans: scans.length,
    windows: count,
    windowSeconds,
    seconds: count * windowSeconds,
    peakBytes: process.memoryUsage().rss + scanBytes,
    diskBytes: sizes.reduce((sum, { own }) => sum + voxels(own), 0),
    freeDiskBytes: bavail * bsize,
  };
}

/** The nearest folder above a path that is there. */
async function existingFolder(path: string): Promise<string> {
  const folder = resolve(path);
  const found = await statfs(folder).catch(() => undefined);
  return found ? folder : existingFolder(dirname(folder));
}
