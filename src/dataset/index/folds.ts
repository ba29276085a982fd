import { itemAt } from '../../at.js';
import { UsageError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';
import { groupsOf } from './groups.js';
import type { PreparedIndex } from './prepared-index.js';

/** Fold `fold` of `folds`, from 1. */
export interface Fold {
  readonly fold: number;
  readonly folds: number;
}

/**
 * The index with the splits of one fold of a k-fold cross-validation: of each dataset's training and
 * validation cases together, one part of `folds` validates and the others train. Test cases stay what they
 * are. The parts are drawn from the sorted names by the index's seed: every case validates in exactly one
 * fold, together with its group. Where the cases have the folds of a data list, those are the parts, in the order of
 * their numbers. Cases without a label beside labelled ones always train.
 * @param fold absent: the index as it is
 * @throws UsageError when a dataset has fewer cases or groups than folds, or its list another number of folds
 */
export function withFold(index: PreparedIndex, fold: Fold | undefined): PreparedIndex {
  if (!fold) return index;
  const validating = new Set(
    Object.keys(index.datasets).flatMap((dataset) => validationCases(index, dataset, fold)),
  );
  const cases = index.cases.map((prepared) =>
    prepared.split === 'test'
      ? prepared
      : { ...prepared, split: validating.has(prepared.id) ? ('validation' as const) : ('training' as const) },
  );
  return { ...index, cases };
}

/** "2/5" is the second of five folds. Throws UsageError for anything else. */
export function parseFold(text: string): Fold {
  const [fold, folds] = (/^([0-9]+)\/([0-9]+)$/.exec(text) ?? []).slice(1).map(Number);
  if (fold !== undefined && folds !== undefined && folds >= 2 && fold >= 1 && fold <= folds)
    return { fold, folds };
  throw new UsageError(`--fold is "${text}", but must be a fold and how many there are, such as 2/5`, {
    field: '--fold',
    found: text,
  });
}

function validationCases({ seed, cases }: PreparedIndex, dataset: string, { fold, folds }: Fold): string[] {
  const own = cases.filter((prepared) => prepared.dataset === dataset && prepared.split !== 'test');
  const listed = listedFolds(own);
  if (listed) {
    if (listed.length !== folds)
      throw new UsageError(
        `dataset ${dataset} has the ${listed.length} folds of its data list (${listed.join(', ')}), not ${folds}: ` +
          `ask for ${listed.length}, or prepare it without "fold" to have folds drawn`,
        { field: 'data.folds', found: folds, expected: listed.length },
      );
    return own.filter((prepared) => prepared.fold === listed[fold - 1]).map(({ id }) => id);
  }
  const labelled = own.filter(({ label }) => label !== undefined);
  const divided = labelled.length > 0 ? labelled : own;
  const groups = groupsOf(divided);
  if (groups.length > 0 && groups.length < folds) {
    const cases = `${divided.length} ${labelled.length > 0 ? 'labelled cases' : 'cases'}`;
    const found = groups.length === divided.length ? cases : `${cases} of ${groups.length} groups`;
    throw new UsageError(`dataset ${dataset} has ${found}, fewer than ${folds} folds: use fewer folds`, {
      field: 'data.folds',
      found: folds,
    });
  }
  const counts = new Array<number>(folds).fill(0);
  const validating: string[] = [];
  for (const group of randomStream(seed, 'split', folds).shuffle(groups)) {
    // The fold with the fewest cases so far: of cases alone each in its turn.
    const smallest = counts.indexOf(Math.min(...counts));
    counts[smallest] = itemAt(counts, smallest) + group.length;
    if (smallest === fold - 1) validating.push(...group.map(({ id }) => id));
  }
  return validating;
}

/** The numbers of the folds that a data list gave the cases, rising; undefined where it gave none. */
function listedFolds(cases: PreparedIndex['cases']): number[] | undefined {
  if (cases.length === 0 || cases.some(({ fold }) => fold === undefined)) return undefined;
  return [...new Set(cases.flatMap(({ fold }) => fold ?? []))].sort((a, b) => a - b);
}
