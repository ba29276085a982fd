import type { SourceDataset } from './listed-case.js';
import type { DatasetSummary, IntensityStatistics, PreparedCase, SkippedCase } from './prepared-index.js';

/** What `prepare` reports of a dataset: counts, spacings and sizes per axis, mean intensity statistics. */
export function summariseDataset(
  { name, modality, classes, preprocessing }: SourceDataset,
  allCases: readonly PreparedCase[],
  skipped: readonly SkippedCase[],
): DatasetSummary {
  const cases = allCases.filter(({ dataset }) => dataset === name);
  const inSplit = (split: PreparedCase['split']) => cases.filter((prepared) => prepared.split === split).length;
  const channels = Math.max(0, ...cases.map((prepared) => prepared.channels));
  return {
    modality,
    classes: { ...classes },
    preprocessing,
    channels,
    counts: {
      training: inSplit('training'),
      validation: inSplit('validation'),
      test: inSplit('test'),
      skipped: skipped.filter(({ dataset }) => dataset === name).length,
    },
    sourceSpacing: spread(cases.map(({ source }) => source.spacing)),
    preparedSize: spread(cases.map(({ size }) => size)),
    intensity: Array.from({ length: channels }, (_, channel) => meanStatistics(cases.flatMap(({ intensity }) => intensity[channel] ?? []))),
  };
}

type Numbers = readonly [number, number, number];

function spread(values: readonly Numbers[]): DatasetSummary['sourceSpacing'] {
  if (values.length === 0) return null;
  const perAxis = (of: (axisValues: number[]) => number): [number, number, number] => {
    const [x, y, z] = [0, 1, 2].map((axis) => of(values.map((value) => value[axis]!).sort((a, b) => a - b)));
    return [x!, y!, z!];
  };
  return { min: perAxis((sorted) => sorted[0]!), median: perAxis(median), max: perAxis((sorted) => sorted.at(-1)!) };
}

function median(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

function meanStatistics(ofCases: readonly IntensityStatistics[]): IntensityStatistics {
  const mean = (key: keyof IntensityStatistics) => ofCases.reduce((sum, statistics) => sum + statistics[key], 0) / ofCases.length;
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
