import type { Triple } from '../volume/index.js';
import type { Fingerprint } from './fingerprint.js';

/** What was found, in a few lines. */
export function fingerprintText({
  modality,
  channels,
  scans,
  labelled,
  spacing,
  size,
  targetSpacing,
  targetSize,
  classes,
}: Fingerprint): string {
  const found = Object.entries(classes).map(
    ([value, { name, medianMl, scans: having }]) =>
      `${value} ${name} (${medianMl === null ? 'in no scan' : `${Number(medianMl.toPrecision(3))} ml in ${scansOf(having)}`})`,
  );
  return [
    `${scans} ${modality.toUpperCase()} ${scans === 1 ? 'scan' : 'scans'}${channels > 1 ? ` of ${channels} channels` : ''}, ${labelled} with ${labelled === 1 ? 'a label' : 'labels'}`,
    `spacing ${mm(spacing.min)} to ${mm(spacing.max)} mm, size ${voxels(size.min)} to ${voxels(size.max)} voxels`,
    `all are brought to ${mm(targetSpacing)} mm, where the median scan has ${voxels(targetSize)} voxels`,
    ...(found.length > 0 ? [`classes: ${found.join(', ')}`] : []),
  ].join('\n');
}

const scansOf = (count: number): string => `${count} ${count === 1 ? 'scan' : 'scans'}`;

const mm = (values: Triple): string => values.map((value) => Number(value.toPrecision(3))).join(' x ');
/** "128 x 96 x 64" */
export const voxels = (values: Triple): string => values.map((value) => Math.round(value)).join(' x ');
