import { UsageError } from '../../errors.js';
import { randomStream } from '../../random/streams.js';
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
 * fold. Cases without a label beside labelled ones always train.
 * @param fold absent: the index as it is
 * @throws UsageError when a dataset has fewer cases than folds
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
  const labelled = own.filter(({ label }) => label !== undefined);
  const ids = (labelled.length > 0 ? labelled : own).map(({ id }) => id);
  if (ids.length > 0 && ids.length < folds) {
    throw new UsageError(
      `dataset ${dataset} has ${ids.length} ${labelled.length > 0 ? 'labelled cases' : 'cases'}, fewer than ${folds} folds: use fewer folds`,
      {
        field: 'data.folds',
        found: folds,
      },
    );
  }
  const shuffled = randomStream(seed, 'split', folds).shuffle(ids.sort());
  return shuffled.filter((_, rank) => rank % folds === fold - 1);
}
