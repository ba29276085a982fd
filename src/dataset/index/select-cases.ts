import { DataError } from '../../errors.js';
import type { PreparedCase, PreparedIndex } from './prepared-index.js';

/** Which of the prepared cases are meant. */
export interface CaseSelection {
  readonly split: 'training' | 'validation' | 'test' | 'all';
  /** Names of datasets; absent: all. */
  readonly datasets?: readonly string[];
  /** Ids (`dataset/name`) within the split, e.g. a fraction of the training cases; absent: all. */
  readonly caseIds?: readonly string[];
}

/**
 * The prepared cases of a split, in the order of the index.
 * @throws DataError when a dataset or case is not there, or nothing is left
 */
export function selectCases(
  index: PreparedIndex,
  { split, datasets, caseIds }: CaseSelection,
  dir: string,
): PreparedCase[] {
  const unknown = datasets?.find((name) => !(name in index.datasets));
  if (unknown !== undefined) {
    const known = Object.keys(index.datasets);
    throw new DataError(
      `${dir} has no dataset "${unknown}": it has ${known.join(', ')}; run prepare with "${unknown}" in the dataset index`,
      {
        file: dir,
        found: unknown,
        expected: known,
      },
    );
  }
  const inSplit = index.cases.filter(
    (prepared) =>
      (split === 'all' || prepared.split === split) && (datasets?.includes(prepared.dataset) ?? true),
  );
  const absent = caseIds?.find((id) => !inSplit.some((prepared) => prepared.id === id));
  if (absent !== undefined)
    throw new DataError(`${dir} has no case "${absent}" in the split "${split}": prepare it first`, {
      file: dir,
      found: absent,
    });
  const selected = caseIds ? inSplit.filter(({ id }) => caseIds.includes(id)) : inSplit;
  if (selected.length > 0) return selected;
  const [first] = index.skipped;
  const skipped = first
    ? `; ${index.skipped.length} cases were skipped, the first because: ${first.reason}`
    : '';
  throw new DataError(
    `${dir} has no prepared case in the split "${split}"${datasets ? ` of ${datasets.join(', ')}` : ''}${skipped}`,
    {
      file: dir,
      field: 'split',
    },
  );
}

/**
 * Names of the datasets, of those that are asked for, in which some case has a label: those that fine-tuning
 * trains and evaluates on. Of the others there are images alone.
 * @param datasets absent: all
 * @throws DataError where there is none
 */
export function labelledDatasets(
  { cases }: Pick<PreparedIndex, 'cases'>,
  datasets: readonly string[] | undefined,
  dir: string,
): string[] {
  const labelled = cases.filter(
    ({ dataset, label }) => label !== undefined && (datasets?.includes(dataset) ?? true),
  );
  const names = [...new Set(labelled.map(({ dataset }) => dataset))];
  if (names.length > 0) return names;
  const where = datasets ? ` of ${datasets.join(', ')}` : '';
  throw new DataError(
    `${dir} has no case${where} with a label: give labels in the dataset index and run prepare again`,
    { file: dir, field: 'label' },
  );
}
