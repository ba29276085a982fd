import { DataError } from '../../errors.js';
import type { PreparedCase, PreparedIndex } from '../index/prepared-index.js';

/**
 * Holds task-specific pre-training (the paper's `*`) to the training split of its task: every case is a
 * training case, and none is made from the same file as a held-out case of any dataset, under whatever name.
 * @throws DataError naming the case, and the held-out case whose scan it is
 */
export function requireTrainingCasesOnly(
  { cases }: Pick<PreparedIndex, 'cases'>,
  chosen: readonly PreparedCase[],
  dir: string,
): void {
  const heldOut = new Map(
    cases
      .filter(({ split }) => split !== 'training')
      .flatMap((other) => scans(other).map((scan) => [scan, other])),
  );
  for (const used of chosen) {
    if (used.split !== 'training') throw leak(`case ${used.id} is in the ${used.split} split`, used, dir);
    const same = scans(used).flatMap((scan) => heldOut.get(scan) ?? [])[0];
    if (same)
      throw leak(
        `case ${used.id} is the same scan as ${same.id}, which is in the ${same.split} split`,
        used,
        dir,
      );
  }
}

/**
 * What identifies the scans of a case: the content of its image
 * files. Labels do not count; two cases may both be all background.
 */
const scans = ({ sourceImages, fingerprint }: PreparedCase): string[] =>
  fingerprint.sources.filter(({ path }) => sourceImages.includes(path)).map(({ sha256 }) => sha256);

const leak = (found: string, { id }: PreparedCase, dir: string): DataError =>
  new DataError(
    `${dir}: ${found}, but task-specific pre-training may see the training split of its task only: ` +
      'set data.datasets to the task and data.split to training, or data.mode to generic',
    { file: dir, field: 'data.mode', found: id },
  );
