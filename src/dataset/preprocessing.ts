import { z } from 'zod';
import { DataError } from '../errors.js';
import {
  cropBox,
  cropToForeground,
  percentileScale,
  reorientToRas,
  resampleToSpacing,
  scaleCtIntensity,
  type Triple,
  type Volume,
  zScoreNonZero,
} from '../volume/index.js';
import type { DatasetEntry } from './dataset-file.js';

/** Everything that is done to a scan before the network sees it; stored with every prepared case, so that `predict` does the same. */
export const preprocessingSchema = z.object({
  /** mm; null: the scan's own. */
  spacing: z.tuple([z.number(), z.number(), z.number()]).nullable(),
  /** `ct-window`: windowHu to [0, 1]; `z-score`: over non-zero voxels per channel; `percentile`: 0.5th to 99.5th to [0, 1]; `none`: as it is. */
  intensity: z.enum(['ct-window', 'z-score', 'percentile', 'none']),
  windowHu: z.tuple([z.number(), z.number()]),
  /** In the scan's own intensities (HU); the box around voxels above it is kept. null: no crop. */
  foregroundThreshold: z.number().nullable(),
});
export type Preprocessing = z.infer<typeof preprocessingSchema>;

/**
 * The settings of a dataset with the defaults of its modality. CT: 1.5 x 1.5 x 2 mm, clipped to [-1000, 1000] HU, foreground
 * above the window's lower end. MR: 1 mm, z-score, foreground above 0.
 */
export function preprocessingOf(
  modality: 'ct' | 'mr',
  settings: Pick<DatasetEntry, 'spacing' | 'intensity' | 'windowHu' | 'foregroundThreshold'> = {},
): Preprocessing {
  const windowHu = settings.windowHu ?? [-1000, 1000];
  const defaults = {
    ct: { spacing: [1.5, 1.5, 2] as [number, number, number], intensity: 'ct-window' as const, foregroundThreshold: windowHu[0] },
    mr: { spacing: [1, 1, 1] as [number, number, number], intensity: 'z-score' as const, foregroundThreshold: 0 },
  }[modality];
  return {
    spacing: settings.spacing === undefined ? defaults.spacing : settings.spacing,
    intensity: settings.intensity ?? defaults.intensity,
    windowHu,
    foregroundThreshold: settings.foregroundThreshold === undefined ? defaults.foregroundThreshold : settings.foregroundThreshold,
  };
}

export interface PreprocessedImage {
  /** Ready for the network: RAS, resampled, scaled, cropped. */
  readonly image: Volume;
  /** The same grid before intensities were scaled, for statistics. */
  readonly unscaled: Volume;
  /** First voxel of the crop in the resampled grid. */
  readonly cropStart: Triple;
  /** Size of the resampled grid before the crop. */
  readonly resampledSize: Triple;
  /** What was done, in order. */
  readonly steps: readonly string[];
}

/**
 * RAS, resampling (linear), intensity, foreground crop. Pure; `prepare` and `predict` both call it.
 * @param file where the scan comes from, for errors
 * @throws DataError when no voxel is above the foreground threshold
 */
export function preprocessImage(source: Volume, settings: Preprocessing, file = 'the scan'): PreprocessedImage {
  const steps = ['reorient to RAS'];
  const upright = reorientToRas(source);
  const resampled = settings.spacing === null ? upright : resampleToSpacing(upright, settings.spacing, 'linear');
  if (settings.spacing !== null) steps.push(`resample to ${settings.spacing.join(' x ')} mm, linear`);
  const scaled = scaleIntensity(resampled, settings);
  steps.push(settings.intensity === 'ct-window' ? `clip to [${settings.windowHu.join(', ')}] HU, scale to [0, 1]` : settings.intensity);
  const { foregroundThreshold } = settings;
  if (foregroundThreshold === null) {
    return { image: scaled, unscaled: resampled, cropStart: [0, 0, 0], resampledSize: resampled.size, steps };
  }
  requireForeground(resampled.data, foregroundThreshold, file);
  const { volume: unscaled, start } = cropToForeground(resampled, foregroundThreshold);
  steps.push(`crop to the box above ${foregroundThreshold}`);
  return { image: cropBox(scaled, start, unscaled.size), unscaled, cropStart: start, resampledSize: resampled.size, steps };
}

/** The label on the grid its image was brought to: RAS, nearest neighbour, the image's crop. */
export function preprocessLabel(source: Volume, settings: Preprocessing, image: Pick<PreprocessedImage, 'cropStart'> & { image: Volume }): Volume {
  const upright = reorientToRas(source);
  const resampled = settings.spacing === null ? upright : resampleToSpacing(upright, settings.spacing, 'nearest');
  return cropBox(resampled, image.cropStart, image.image.size);
}

function scaleIntensity(volume: Volume, { intensity, windowHu }: Preprocessing): Volume {
  switch (intensity) {
    case 'ct-window':
      return scaleCtIntensity(volume, windowHu);
    case 'z-score':
      return zScoreNonZero(volume);
    case 'percentile':
      return percentileScale(volume, 0.5, 99.5);
    case 'none':
      return volume;
  }
}

/** Throws DataError when none of the values lies above the foreground threshold. */
export function requireForeground(data: ArrayLike<number>, threshold: number, file: string): void {
  for (let i = 0; i < data.length; i++) if (data[i]! > threshold) return;
  throw new DataError(
    `${file} has no voxel above the foreground threshold ${threshold}: lower "foregroundThreshold" or check the scan's intensities`,
    { file, field: 'foregroundThreshold', expected: `some voxel above ${threshold}` },
  );
}
