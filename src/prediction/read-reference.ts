import { entryOf, itemAt } from '../at.js';
import { type PreparedCase, type PreparedIndex, readLabelOnGrid, toClassValues } from '../dataset/index.js';
import { DataError } from '../errors.js';
import type { Volume } from '../volume/index.js';

/**
 * The label of a prepared case on its scan's own grid, with the values of the dataset's classes and the one that
 * it ignores.
 * @throws DataError when the case has no label, or when its file cannot be read, lies elsewhere than the scan or
 *   has a value that is no class
 */
export async function readReference(
  { datasets }: Pick<PreparedIndex, 'datasets'>,
  { id, dataset, sourceImages, sourceLabel, sourceMasks, aligned, labelMap, source }: PreparedCase,
): Promise<Volume> {
  if (sourceLabel === undefined) {
    throw new DataError(`case ${id} has no label to compare with: give it one in the dataset index`, {
      field: 'label',
    });
  }
  const label = await readLabelOnGrid(
    { label: sourceLabel, masks: sourceMasks, aligned, labelMap },
    source,
    itemAt(sourceImages, 0),
  );
  const { classes, ignore } = entryOf(datasets, dataset);
  return toClassValues(label, classes, labelMap, sourceLabel, ignore);
}
