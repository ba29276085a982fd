import { z } from 'zod';
import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import { requireMemory } from '../../free-memory.js';
import {
  type BackgroundRange,
  backgroundRanges,
  backgroundUpTo,
  type ChannelParts,
  cropBox,
  ctScaling,
  foregroundBox,
  foregroundMoments,
  type IntensityScaling,
  leastSpacing,
  mostSpacing,
  noBackground,
  percentileScaling,
  possibleGrid,
  reorientToRas,
  resampleToSpacing,
  type Triple,
  type Volume,
  voxelCount,
  type ZScore,
  zeroBackground,
  zScoreScaling,
} from '../../volume/index.js';

const millimetres = z.number().min(leastSpacing).max(mostSpacing);

/** mm along [x, y, z] that scans are brought to. */
export const spacingSchema = z.tuple([millimetres, millimetres, millimetres]);

/**
 * What of a scan is foreground: a number, in the scan's own intensities (HU), is a threshold that foreground
 * is above; `background`: what differs from the value of the channel's own background; null: everything.
 */
export const foregroundThresholdSchema = z.union([z.number(), z.literal('background')]).nullable();

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
  spacing: spacingSchema.nullable(),
  /**
   * `ct-window`: windowHu to [0, 1]; `z-score`: per channel, over non-zero voxels, or where
   * `foregroundThreshold` is `background` over those that differ from it, which becomes 0;
   * `percentile`: 0.5th to 99.5th to [0, 1]; `none`: as it is.
   */
  intensity: z.enum(['ct-window', 'z-score', 'percentile', 'none']),
  windowHu: z.tuple([z.number(), z.number()]),
  /** The box around the foreground is kept. null: no crop. */
  foregroundThreshold: foregroundThresholdSchema,
  /** What a voxel that is NaN or infinite becomes; absent: such a scan is refused. */
  notFinite: z.number().optional(),
});
export type Preprocessing = z.infer<typeof preprocessingSchema>;

/** What a dataset index may say of its preparation. */
export type PreparationSettings = {
  readonly [Key in 'spacing' | 'intensity' | 'windowHu' | 'foregroundThreshold']?:
    | Preprocessing[Key]
    | undefined;
} & { readonly notFinite?: number | 'refuse' | undefined };

/**
 * The settings of a dataset with the defaults of its modality. CT: 1.5 x 1.5 x 2 mm, clipped to
 * [-1000, 1000] HU, foreground above the window's lower end. MR: 1 mm, z-score, foreground differs from the
 * background.
 */
export function preprocessingOf(modality: 'ct' | 'mr', settings: PreparationSettings = {}): Preprocessing {
  const windowHu = settings.windowHu ?? [-1000, 1000];
  const defaults: Record<
    'ct' | 'mr',
    Pick<Preprocessing, 'spacing' | 'intensity' | 'foregroundThreshold'>
  > = {
    ct: { spacing: [1.5, 1.5, 2], intensity: 'ct-window', foregroundThreshold: windowHu[0] },
    mr: { spacing: [1, 1, 1], intensity: 'z-score', foregroundThreshold: 'background' },
  };
  const { spacing, intensity, foregroundThreshold } = defaults[modality];
  return {
    spacing: settings.spacing === undefined ? spacing : settings.spacing,
    intensity: settings.intensity ?? intensity,
    windowHu,
    foregroundThreshold:
      settings.foregroundThreshold === undefined ? foregroundThreshold : settings.foregroundThreshold,
    ...(typeof settings.notFinite === 'number' && { notFinite: settings.notFinite }),
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
 * @throws DataError when no voxel is foreground, or the resampled scan would be too large
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
  const backgrounds = backgroundsOf(resampled, settings.foregroundThreshold);
  const scaled = scaleIntensity(resampled, settings, backgrounds);
  const { foregroundThreshold } = settings;
  if (foregroundThreshold === null) return { image: scaled, cropStart: [0, 0, 0] };
  const box = foregroundBox(resampled, backgrounds);
  if (!box) throw noForeground(foregroundThreshold, file);
  return { image: cropBox(scaled, box.start, box.size), cropStart: box.start };
}

/** What counts as background in each channel of a volume. */
export function backgroundsOf(
  volume: Volume,
  threshold: Preprocessing['foregroundThreshold'],
): readonly BackgroundRange[] {
  if (threshold === 'background') return backgroundRanges(volume);
  const range = threshold === null ? noBackground : backgroundUpTo(threshold);
  return Array.from({ length: volume.channels }, () => range);
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
  notFinite,
}: Preprocessing): string[] {
  return [
    ...(notFinite === undefined ? [] : [`set what is not finite to ${notFinite}`]),
    ...(orientation === 'as-stored' ? [] : ['reorient to RAS']),
    ...(spacing === null ? [] : [`resample to ${spacing.join(' x ')} mm, linear`]),
    intensity === 'ct-window' ? `clip to [${windowHu.join(', ')}] HU, scale to [0, 1]` : intensity,
    ...cropSteps(foregroundThreshold),
  ];
}

function cropSteps(threshold: Preprocessing['foregroundThreshold']): string[] {
  if (threshold === null) return [];
  return [
    threshold === 'background'
      ? 'crop to the box of what is not background'
      : `crop to the box above ${threshold}`,
  ];
}

/** How the intensities of one channel are scaled. */
export interface ChannelScaling {
  readonly scale: IntensityScaling;
  /** Of a z-score: what it subtracts and divides by. */
  readonly zScore?: ZScore;
}

/**
 * The scaling of one channel. `parts` are its resampled values before the crop; some settings look at all of
 * them.
 * @param background of the channel; counts where the foreground is told by the background
 */
export function intensityScaling(
  { intensity, windowHu, foregroundThreshold }: Preprocessing,
  parts: ChannelParts,
  background: BackgroundRange,
): ChannelScaling {
  switch (intensity) {
    case 'ct-window':
      return { scale: ctScaling(windowHu) };
    case 'z-score': {
      const left = foregroundThreshold === 'background' ? background : zeroBackground;
      const zScore = foregroundMoments(parts, left);
      return { scale: zScoreScaling(zScore, left), zScore };
    }
    case 'percentile':
      return { scale: percentileScaling(parts, 0.5, 99.5) };
    case 'none':
      return { scale: (values, target) => target.set(values) };
  }
}

/** What a scan without any foreground is refused with. */
export function noForeground(threshold: number | 'background', file: string): DataError {
  if (threshold === 'background') {
    return new DataError(
      `${file} has no voxel that differs from its background: every channel has one value, so that it shows ` +
        'nothing; leave it out, or keep it whole with "foregroundThreshold": null',
      { file, field: 'foregroundThreshold', expected: 'some voxel of another value than the background' },
    );
  }
  return new DataError(
    `${file} has no voxel above the foreground threshold ${threshold}: ` +
      `lower "foregroundThreshold" or check the scan's intensities`,
    { file, field: 'foregroundThreshold', expected: `some voxel above ${threshold}` },
  );
}

function scaleIntensity(
  volume: Volume,
  settings: Preprocessing,
  backgrounds: readonly BackgroundRange[],
): Volume {
  const count = voxelCount(volume);
  const data = new Float32Array(volume.data.length);
  for (let c = 0; c < volume.channels; c++) {
    const values = volume.data.subarray(c * count, (c + 1) * count);
    const { scale } = intensityScaling(settings, () => [values], itemAt(backgrounds, c));
    scale(values, data.subarray(c * count, (c + 1) * count));
  }
  return { ...volume, data };
}
