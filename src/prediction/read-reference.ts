import { entryOf } from '../at.js';
import { countsAsClass, type PreparedCase, type PreparedIndex, toClassValues } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { readLabel, type Volume } from '../volume/index.js';

/**
 * The label of a prepared case in the scan's own space, as its file has it, with the values of the dataset's
 * classes.
 * @throws DataError when the case has no label, or when its file cannot be read or has a value that is no
 *   class
 */
export async function readReference(
  { datasets }: Pick<PreparedIndex, 'datasets'>,
  { id, dataset, source, sourceLabel, labelMap }: PreparedCase,
): Promise<Volume> {
  if (sourceLabel === undefined) {
    throw new DataError(`case ${id} has no label to compare with: give it one in the dataset index`, {
      field: 'label',
    });
  }
  return toClassValues(
    await readLabel(sourceLabel, { grid: source, needed: countsAsClass(labelMap) }),
    entryOf(datasets, dataset).classes,
    labelMap,
    sourceLabel,
  );
}
