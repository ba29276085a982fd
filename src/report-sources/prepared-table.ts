import type { PreparedIndex } from '../dataset/index.js';
import { markdownTable } from '../report/index.js';

/**
 * What `prepare` made, a row a dataset: cases a split, how many of all have a label, channels, spacing of the scans (mm), size on the
 * prepared grid (voxels), intensities (HU for CT).
 */
export function preparedTable({ datasets, cases }: Pick<PreparedIndex, 'datasets' | 'cases'>): string {
  const header = [
    'dataset',
    'training',
    'validation',
    'test',
    'skipped',
    'labelled',
    'channels',
    'median spacing',
    'median size',
    'intensity mean',
    'std',
    '0.5%',
    '99.5%',
  ];
  const body = Object.entries(datasets).map(
    ([name, { counts, channels, sourceSpacing, preparedSize, intensity }]) => {
      const [first] = intensity;
      const labelled = cases.filter(({ dataset, label }) => dataset === name && label !== undefined).length;
      const number = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(1));
      return [
        name,
        ...[counts.training, counts.validation, counts.test, counts.skipped, labelled, channels].map(String),
        sourceSpacing?.median.map((mm) => mm.toFixed(2)).join(' x ') ?? '-',
        preparedSize?.median.map((voxels) => voxels.toFixed(0)).join(' x ') ?? '-',
        ...[first?.mean, first?.std, first?.p005, first?.p995].map(number),
      ];
    },
  );
  return markdownTable(header, body);
}
