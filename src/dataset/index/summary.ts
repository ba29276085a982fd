import { itemAt } from '../../at.js';
import { AXES, mapAxes, type Triple } from '../../volume/index.js';
import type { SourceDataset } from './listed-case.js';
import type { DatasetSummary, IntensityStatistics, PreparedCase, SkippedCase } from './prepared-index.js';

/** What `prepare` reports of a dataset: counts, spacings and sizes per axis, mean intensity statistics. */
export function summariseDataset(
  { name, modality, classes, regions, ignore, preprocessing }: SourceDataset,
  allCases: readonly PreparedCase[],
  skipped: readonly SkippedCase[],
): DatasetSummary {
  const cases = allCases.filter(({ dataset }) => dataset === name);
  const inSplit = (split: PreparedCase['split']) =>
    cases.filter((prepared) => prepared.split === split).length;
  const channels = Math.max(0, ...cases.map((prepared) => prepared.channels));
  return {
    modality,
    classes: { ...classes },
    ...(regions && { regions }),
    ...(ignore !== undefined && { ignore }),
    preprocessing,
    channels,
    counts: {
      training: inSplit('training'),
      validation: inSplit('validation'),
      test: inSplit('test'),
      skipped: skipped.filter(({ dataset }) => dataset === name).length,
    },
    sourceSpacing: rangeOfAxes(cases.map(({ source }) => source.spacing)),
    preparedSize: rangeOfAxes(cases.map(({ size }) => size)),
    intensity: Array.from({ length: channels }, (_, channel) =>
      meanStatistics(cases.flatMap(({ intensity }) => intensity[channel] ?? [])),
    ),
  };
}

/** Lowest, middle and highest value along each axis; null where there are no values. */
function rangeOfAxes(values: readonly Triple[]): DatasetSummary['sourceSpacing'] {
  if (values.length === 0) return null;
  const perAxis = (of: (sorted: readonly number[]) => number) =>
    mapAxes(AXES, (axis) => of(values.map((value) => value[axis]).sort((a, b) => a - b)));
  return {
    min: perAxis((sorted) => itemAt(sorted, 0)),
    median: perAxis(median),
    max: perAxis((sorted) => itemAt(sorted, sorted.length - 1)),
  };
}

function median(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return (itemAt(sorted, Math.floor(middle)) + itemAt(sorted, Math.ceil(middle))) / 2;
}

function meanStatistics(ofCases: readonly IntensityStatistics[]): IntensityStatistics {
  const mean = (key: keyof IntensityStatistics) =>
    ofCases.reduce((sum, statistics) => sum + statistics[key], 0) / ofCases.length;
  return {
    min: mean('min'),
    max: mean('max'),
    mean: mean('mean'),
    std: mean('std'),
    median: mean('median'),
    p005: mean('p005'),
    p995: mean('p995'),
  };
}
