import { z } from 'zod';
import { DataError } from '../../errors.js';
import { requireMemory } from '../../free-memory.js';
import {
  type ChannelParts,
  cropBox,
  cropToForeground,
  ctScaling,
  type IntensityScaling,
  nonZeroMoments,
  percentileScaling,
  possibleGrid,
  reorientToRas,
  resampleToSpacing,
  type Triple,
  type Volume,
  voxelCount,
  type ZScore,
  zScoreScaling,
} from '../../volume/index.js';
import type { DatasetEntry } from '../index/dataset-file.js';

/**
 * Everything that is done to a scan before the network sees it;
 * stored with every prepared case, so that `predict` does the same.
 */
export const preprocessingSchema = z.object({
  /**
   * Absent: RAS, as every prepared case is. `as-stored`: the
   * axes of the file as they lie, for weights of another origin.
   */
  orientation: z.literal('as-stored').optional(),
  /** mm; null: the scan's own. */
  spacing: z.tuple([z.number().gt(0), z.number().gt(0), z.number().gt(0)]).nullable(),
  /**
   * `ct-window`: windowHu to [0, 1]; `z-score`: over non-zero voxels per
   * channel; `percentile`: 0.5th to 99.5th to [0, 1]; `none`: as it is.
   */
  intensity: z.enum(['ct-window', 'z-score', 'percentile', 'none']),
  windowHu: z.tuple([z.number(), z.number()]),
  /** In the scan's own intensities (HU); the box around voxels above it is kept. null: no crop. */
  foregroundThreshold: z.number().nullable(),
});
export type Preprocessing = z.infer<typeof preprocessingSchema>;

/**
 * The settings of a dataset with the defaults of its modality. CT: 1.5 x 1.5 x 2 mm, clipped to
 * [-1000, 1000] HU, foreground above the window's lower end. MR: 1 mm, z-score, foreground above 0.
 */
export function preprocessingOf(
  modality: 'ct' | 'mr',
  settings: Pick<DatasetEntry, 'spacing' | 'intensity' | 'windowHu' | 'foregroundThreshold'> = {},
): Preprocessing {
  const windowHu = settings.windowHu ?? [-1000, 1000];
  const defaults: Record<
    'ct' | 'mr',
    Pick<Preprocessing, 'spacing' | 'intensity' | 'foregroundThreshold'>
  > = {
    ct: { spacing: [1.5, 1.5, 2], intensity: 'ct-window', foregroundThreshold: windowHu[0] },
    mr: { spacing: [1, 1, 1], intensity: 'z-score', foregroundThreshold: 0 },
  };
  const { spacing, intensity, foregroundThreshold } = defaults[modality];
  return {
    spacing: settings.spacing === undefined ? spacing : settings.spacing,
    intensity: settings.intensity ?? intensity,
    windowHu,
    foregroundThreshold:
      settings.foregroundThreshold === undefined ? foregroundThreshold : settings.foregroundThreshold,
  };
}

/** A scan as the network takes it. */
export interface PreprocessedImage {
  /** Ready for the network: RAS, resampled, scaled, cropped. */
  readonly image: Volume;
  /** First voxel of the crop in the resampled grid. */
  readonly cropStart: Triple;
}

/**
 * RAS, resampling (linear), intensity, foreground crop of a scan in
 * memory; `prepare` does the same to one that it reads in slices.
 * @param file where the scan comes from, for errors
 * @throws DataError when no voxel is above the foreground threshold, or the resampled scan would be too large
 */
export function preprocessImage(
  source: Volume,
  settings: Preprocessing,
  file = 'the scan',
): PreprocessedImage {
  requireResampled(source, settings, file);
  const upright = settings.orientation === 'as-stored' ? source : reorientToRas(source);
  const resampled =
    settings.spacing === null ? upright : resampleToSpacing(upright, settings.spacing, 'linear');
  const scaled = scaleIntensity(resampled, settings);
  const { foregroundThreshold } = settings;
  if (foregroundThreshold === null) return { image: scaled, cropStart: [0, 0, 0] };
  if (!resampled.data.some((value) => value > foregroundThreshold))
    throw noForeground(foregroundThreshold, file);
  const { volume, start } = cropToForeground(resampled, foregroundThreshold);
  return { image: cropBox(scaled, start, volume.size), cropStart: start };
}

/** Refuses a scan that would be too large on its new grid, where it is held twice: before and after scaling. */
function requireResampled(source: Volume, { spacing, orientation }: Preprocessing, file: string): void {
  const grid = possibleGrid(source, spacing, file, orientation);
  requireMemory(2 * 4 * source.channels * voxelCount(grid), file, 'preparing it');
}

/** What is done to an image, in order, for people to read. */
export function preprocessingSteps({
  orientation,
  spacing,
  intensity,
  windowHu,
  foregroundThreshold,
}: Preprocessing): string[] {
  return [
    ...(orientation === 'as-stored' ? [] : ['reorient to RAS']),
    ...(spacing === null ? [] : [`resample to ${spacing.join(' x ')} mm, linear`]),
    intensity === 'ct-window' ? `clip to [${windowHu.join(', ')}] HU, scale to [0, 1]` : intensity,
    ...(foregroundThreshold === null ? [] : [`crop to the box above ${foregroundThreshold}`]),
  ];
}

/** How the intensities of one channel are scaled. */
export interface ChannelScaling {
  readonly scale: IntensityScaling;
  /** Of a z-score: what it subtracts and divides by. */
  readonly zScore?: ZScore;
}

/**
 * The scaling of one channel. `parts` are its resampled
 * values before the crop; some settings look at all of them.
 */
export function intensityScaling(
  { intensity, windowHu }: Pick<Preprocessing, 'intensity' | 'windowHu'>,
  parts: ChannelParts,
): ChannelScaling {
  switch (intensity) {
    case 'ct-window':
      return { scale: ctScaling(windowHu) };
    case 'z-score': {
      const zScore = nonZeroMoments(parts);
      return { scale: zScoreScaling(zScore), zScore };
    }
    case 'percentile':
      return { scale: percentileScaling(parts, 0.5, 99.5) };
    case 'none':
      return { scale: (values, target) => target.set(values) };
  }
}

/** What a scan without any foreground is refused with. */
export function noForeground(threshold: number, file: string): DataError {
  return new DataError(
    `${file} has no voxel above the foreground threshold ${threshold}: ` +
      `lower "foregroundThreshold" or check the scan's intensities`,
    { file, field: 'foregroundThreshold', expected: `some voxel above ${threshold}` },
  );
}

function scaleIntensity(volume: Volume, settings: Preprocessing): Volume {
  const count = voxelCount(volume);
  const data = new Float32Array(volume.data.length);
  for (let c = 0; c < volume.channels; c++) {
    const values = volume.data.subarray(c * count, (c + 1) * count);
    intensityScaling(settings, () => [values]).scale(values, data.subarray(c * count, (c + 1) * count));
  }
  return { ...volume, data };
}
