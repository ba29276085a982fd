import { itemAt } from '../../at.js';
import { AXES, type Axis, mapAxes } from '../../volume/index.js';
import type { SourceCase } from '../index/listed-case.js';
import type { CheckedCase } from './check-case.js';
import type { Finding } from './finding.js';

/** A case as the index lists it and as it was found. */
export interface ComparedCase {
  readonly source: SourceCase;
  readonly checked: CheckedCase;
}

/**
 * A spacing this many times larger or smaller than the
 * dataset's median is more often a wrong unit than a protocol.
 */
const outlierFactor = 4;

/** Fewer cases have no usual spacing. */
const fewestForOutliers = 5;

/**
 * The same voxels under two names: within a case a modality copied over another,
 * between cases one scan twice, which leaks from training to validation.
 */
export function duplicates(cases: readonly ComparedCase[]): Finding[] {
  const seen = new Map<string, { file: string; source: SourceCase }>();
  const findings: Finding[] = [];
  for (const { source, checked } of cases) {
    for (const { file, sha256 } of checked.hashes) {
      const other = sha256.map((hash) => seen.get(hash)).find((known) => known !== undefined);
      for (const hash of sha256) if (!seen.has(hash)) seen.set(hash, { file, source });
      if (other && (other.file !== file || other.source.id !== source.id))
        findings.push(duplicate(source, file, other));
    }
  }
  return findings;
}

function duplicate(source: SourceCase, file: string, other: { file: string; source: SourceCase }): Finding {
  const where =
    other.source.id === source.id
      ? 'of the same case'
      : `of ${other.source.id} (${other.source.split}; this one is ${source.split})`;
  return {
    id: source.id,
    kind: 'duplicate',
    severity: 'odd',
    file,
    message: `image ${file} has the same voxels as ${other.file} ${where}: leave one out, or keep both in one split`,
  };
}

/**
 * Cases whose DICOM headers name one patient and that nothing keeps together. What the patient is called is not
 * said: a report may be sent on.
 */
export function patientsOfSeveralCases(cases: readonly ComparedCase[]): Finding[] {
  const patients = new Map<string, SourceCase[]>();
  for (const { source, checked } of cases)
    if (checked.patient !== undefined && source.group === undefined)
      patients.set(checked.patient, [...(patients.get(checked.patient) ?? []), source]);
  const several = [...patients.values()].filter(({ length }) => length > 1);
  const [example] = several;
  if (!example) return [];
  const { id, dataset } = itemAt(example, 0);
  const names = example.slice(0, 3).map(({ name }) => name);
  return [
    {
      id,
      kind: 'visits',
      severity: 'odd',
      message:
        `${several.flat().length} cases of "${dataset}" are of ${several.length} ` +
        `patient${several.length === 1 ? '' : 's'} by the PatientID of their DICOM headers, such as ` +
        `${names.join(', ')}: a split may put one patient on both sides; set "groups" to a pattern that finds the ` +
        'patient or to a CSV file, or to false where each case is a patient',
    },
  ];
}

/** Cases with another number of channels than most of their dataset: a network takes one number. */
export function otherChannels(cases: readonly ComparedCase[]): Finding[] {
  const readable = cases.filter(({ checked }) => checked.size !== undefined);
  const times = (channels: number) => readable.filter(({ checked }) => checked.channels === channels).length;
  const usual = readable.reduce(
    (best, { checked }) => (times(checked.channels) > times(best) ? checked.channels : best),
    readable[0]?.checked.channels ?? 0,
  );
  return readable
    .filter(
      ({ checked, source }) => checked.channels !== usual && checked.hashes.length === source.images.length,
    )
    .map(({ source, checked }) => ({
      id: source.id,
      kind: 'channels',
      severity: 'odd',
      message:
        `${source.images.join(', ')} has ${checked.channels} channels, ` +
        `but most cases of "${source.dataset}" have ${usual}: one network cannot take both`,
    }));
}

/** Cases whose spacing is far from the dataset's median along an axis. */
export function spacingOutliers(cases: readonly ComparedCase[]): Finding[] {
  const readable = cases.flatMap(({ source, checked: { spacing } }) =>
    spacing ? [{ source, spacing }] : [],
  );
  if (readable.length < fewestForOutliers) return [];
  const median = mapAxes(AXES, (axis) => medianOf(readable.map(({ spacing }) => spacing[axis])));
  const short = (mm: number) => Number(mm.toPrecision(4));
  return readable.flatMap(({ source, spacing }): Finding[] => {
    const isOutlier = (axis: Axis) =>
      Math.max(spacing[axis] / median[axis], median[axis] / spacing[axis]) > outlierFactor;
    const axis = AXES.find(isOutlier);
    if (axis === undefined) return [];
    const file = itemAt(source.images, 0);
    return [
      {
        id: source.id,
        kind: 'spacing-outlier',
        severity: 'odd',
        file,
        message:
          `image ${file} has a spacing of ${spacing.map(short).join(' x ')} mm, ` +
          `but the median of "${source.dataset}" is ${short(median[axis])} mm along ${'xyz'[axis]}: ` +
          'check its unit and header',
      },
    ];
  });
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return itemAt(sorted, Math.floor((sorted.length - 1) / 2));
}
