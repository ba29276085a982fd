import { lossesOf, type PreparedIndex } from '../dataset/index.js';
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

/** More rows than these are read by nobody. */
const mostRows = 40;

/**
 * What cases lost of their labels by resampling and cropping, a row a class of a case that lost something, as
 * `lossesOf` says; undefined where nothing was lost. Volumes are in mm3, parts are connected by 26 neighbours.
 */
export function lossTable({
  cases,
  datasets,
}: Pick<PreparedIndex, 'cases' | 'datasets'>): string | undefined {
  const rows = cases.flatMap(({ id, dataset, labelSurvival = {} }) =>
    Object.entries(labelSurvival).flatMap(([value, survival]) => {
      const classes = datasets[dataset]?.classes ?? {};
      if (lossesOf({ [value]: survival }, classes).length === 0) return [];
      const { volume, parts, vanished, shrunk } = survival;
      return [
        [
          id,
          `${value} ${classes[value] ?? ''}`.trim(),
          ...[volume.source, volume.prepared, volume.cropped].map((mm3) =>
            String(Number(mm3.toPrecision(3))),
          ),
          ...[parts.source, parts.prepared, vanished.resampled, vanished.cropped, shrunk].map(String),
        ],
      ];
    }),
  );
  if (rows.length === 0) return undefined;
  const header = [
    'lost from labels',
    'class',
    'mm3 in file',
    'mm3 prepared',
    'mm3 cropped away',
    'parts in file',
    'parts prepared',
    'resampled to nothing',
    'cropped away',
    'shrunk to less than half',
  ];
  const table = markdownTable(header, rows.slice(0, mostRows));
  const more = rows.length - mostRows;
  return more > 0 ? `${table}\nand ${more} rows more, which --json has` : table;
}
