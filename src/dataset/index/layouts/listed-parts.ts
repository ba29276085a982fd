import { isOtherImageFile, isScanFile } from '../../../volume/index.js';
import type { LabelMap } from '../dataset-file.js';
import type { LeftOutFiles, ListedCase } from '../listed-case.js';
import { type CasePatterns, type MatchedCases, matchCases } from './match-cases.js';

/** The cases with labels; with `includeTest` also those of parts without labels, as split `test`. */
export function labelledCases(
  { labelled, unlabelled }: MatchedCases,
  includeTest: boolean,
  labelMap: LabelMap | undefined,
): ListedCase[] {
  const mapped = labelled.map(
    (listed): ListedCase => (listed.label && labelMap ? { ...listed, labelMap } : listed),
  );
  return includeTest
    ? [...mapped, ...unlabelled.map((listed): ListedCase => ({ ...listed, split: 'test' }))]
    : mapped;
}

/**
 * Images alone, for pre-training. A case with which only its label was wrong is a good
 * one then, and a label without image is none. Every case's split is drawn; parts
 * without labels come in with `includeTest`, or where the layout has no labels at all.
 */
export function imageCases(
  { labelled, unlabelled }: MatchedCases,
  { channels, labelOf }: CasePatterns,
  includeTest: boolean,
): ListedCase[] {
  const files = [...labelled, ...(includeTest || !labelOf ? unlabelled : [])].flatMap(({ images }) => images);
  return [...matchCases(files, { channels }).unlabelled];
}

/** The files that are left out because of what the index says. */
export function leftOutOf(
  { labelled, unlabelled }: MatchedCases,
  { includeTest, withLabels }: { readonly includeTest: boolean; readonly withLabels: boolean },
  { labelOf }: CasePatterns,
): LeftOutFiles[] {
  return [
    ...(includeTest || !labelOf
      ? []
      : [{ reason: 'without-labels' as const, files: unlabelled.flatMap(({ images }) => images) }]),
    ...(withLabels
      ? []
      : [{ reason: 'label-not-wanted' as const, files: labelled.flatMap(({ label }) => label ?? []) }]),
  ];
}

/**
 * Says how many images are no part of any case, if any. Voxels in a file of their own are a part of the image
 * whose header names them.
 */
export function unmatchedNote(others: readonly string[], reason: string): string[] {
  const images = others.filter(
    (file) => isScanFile(file) || (isOtherImageFile(file) && !/\.z?raw$/i.test(file)),
  );
  if (images.length === 0) return [];
  return [`${images.length} image files ${reason} and are left out, the first ${images[0]}`];
}

/** Says what was left out, if anything. */
export function unlabelledNote(
  { unlabelled }: Pick<MatchedCases, 'unlabelled'>,
  includeTest: boolean,
): string[] {
  const [first] = unlabelled;
  if (includeTest || !first) return [];
  const what = `${unlabelled.length} scans without labels are left out, the first ${first.images[0]}`;
  return [`${what}: set "includeTest" to take them in`];
}
