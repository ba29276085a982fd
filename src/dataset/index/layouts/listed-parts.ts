import type { LabelMap } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
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
