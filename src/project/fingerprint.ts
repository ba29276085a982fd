import { z } from 'zod';
import { itemAt } from '../at.js';
import type { SurveyedScan } from '../dataset/index.js';
import { AXES, type Modality, mapAxes, percentile, type Triple, tripleOf } from '../volume/index.js';
import { windowOf } from './rules/intensity.js';
import { medianSize, targetSpacing } from './rules/target-spacing.js';

const triple = tripleOf(z.number());
const range = z.object({ min: triple, median: triple, max: triple });

/** What the scans of a project are like: all that its plan follows from, beside the machine. */
export const fingerprintSchema = z.object({
  modality: z.enum(['ct', 'mr']),
  channels: z.int(),
  scans: z.int(),
  labelled: z.int(),
  /** mm, of the scans as they are. */
  spacing: range,
  /** Voxels, of the box that is kept of each. */
  size: range,
  /** mm that all scans are brought to, and the coarse axis if there is one (0 is x). */
  targetSpacing: triple,
  coarseAxis: z.int().nullable(),
  /** Voxels of the median scan at that spacing. */
  targetSize: triple,
  /** HU, of CT. */
  windowHu: z.tuple([z.number(), z.number()]).nullable(),
  /** Of the intensities within labels, a channel each; empty without labels. */
  foreground: z.array(
    z.object({ p005: z.number(), median: z.number(), p995: z.number(), mean: z.number(), std: z.number() }),
  ),
  /** Median volume of each class in the scans that have it, ml, and in how many it is. */
  classes: z.record(
    z.string(),
    z.object({ name: z.string(), medianMl: z.number().nullable(), scans: z.int() }),
  ),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

export interface SurveyedProject {
  readonly modality: Modality;
  readonly classes: Readonly<Record<string, string>>;
  readonly scans: readonly SurveyedScan[];
  /** Ids of those with a label. */
  readonly labelled: ReadonlySet<string>;
}

/** The fingerprint of scans that were looked at; of those whose header alone was read, the grid counts. */
export function fingerprintOf({ modality, classes, scans, labelled }: SurveyedProject): Fingerprint {
  const spacings = scans.map(({ spacing }) => spacing);
  const sizes = scans.map((scan) => keptSize(scan, modality));
  const { spacing, coarse } = targetSpacing(spacings, sizes);
  const withLabels = scans.filter(({ id, voxels }) => labelled.has(id) && voxels !== undefined);
  const channels = itemAt(scans, 0).channels;
  const samples = (channel: number) =>
    withLabels.map(({ voxels }) => voxels?.foreground[channel] ?? []).filter(({ length }) => length > 0);
  return {
    modality,
    channels,
    scans: scans.length,
    labelled: labelled.size,
    spacing: rangeOf(spacings),
    size: rangeOf(sizes),
    targetSpacing: mapAxes(spacing, (mm) => Number(mm.toPrecision(6))),
    coarseAxis: coarse ?? null,
    targetSize: medianSize(spacings, sizes, spacing),
    windowHu: modality === 'ct' ? [...windowOf(samples(0))] : null,
    foreground:
      withLabels.length === 0
        ? []
        : Array.from({ length: channels }, (_, channel) => statisticsOf(samples(channel))),
    classes: Object.fromEntries(
      Object.entries(classes).map(([value, name]) => [value, { name, ...classFacts(withLabels, value) }]),
    ),
  };
}

/** The box that preparation keeps of a scan, where its voxels were read. */
function keptSize({ size, voxels }: SurveyedScan, modality: Modality): Triple {
  const box = modality === 'ct' ? voxels?.boxes.aboveAir : voxels?.boxes.aboveZero;
  return box && AXES.every((axis) => box[axis] > 0) ? box : size;
}

function rangeOf(values: readonly Triple[]): z.infer<typeof range> {
  const along = (percent: number) =>
    mapAxes(AXES, (axis) =>
      percentile(
        values.map((value) => value[axis]).sort((a, b) => a - b),
        percent,
      ),
    );
  return { min: along(0), median: along(50), max: along(100) };
}

function statisticsOf(samples: readonly (readonly number[])[]): Fingerprint['foreground'][number] {
  const sorted = Float64Array.from(samples.flat()).sort();
  if (sorted.length === 0) return { p005: 0, median: 0, p995: 0, mean: 0, std: 0 };
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length;
  return {
    p005: percentile(sorted, 0.5),
    median: percentile(sorted, 50),
    p995: percentile(sorted, 99.5),
    mean,
    std: Math.sqrt(variance),
  };
}

function classFacts(
  scans: readonly SurveyedScan[],
  value: string,
): { medianMl: number | null; scans: number } {
  const volumes = scans.flatMap(({ spacing, voxels }) => {
    const count = voxels?.classVoxels?.[value] ?? 0;
    return count > 0 ? [(count * spacing[0] * spacing[1] * spacing[2]) / 1000] : [];
  });
  const sorted = volumes.sort((a, b) => a - b);
  return { medianMl: sorted.length === 0 ? null : percentile(sorted, 50), scans: sorted.length };
}
