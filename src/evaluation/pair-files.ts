import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { entryOf } from '../at.js';
import { DataError } from '../errors.js';

/** A case as its two files. */
export interface FilePair {
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
}

/** Files of two folders by name. */
export interface Pairing {
  readonly pairs: readonly FilePair[];
  /** Labels without a prediction. */
  readonly missing: readonly string[];
  /** Predictions without a label. */
  readonly extra: readonly string[];
}

/**
 * Pairs the predictions in a folder with the labels of the same names (`.nii` or `.nii.gz`) in another, in
 * order of name.
 * @param incomplete whether files without a partner may be left out
 * @throws DataError when a folder is missing or holds no volume, two files of one have one name, or, unless
 * `incomplete`, one has no partner
 */
export async function pairFiles(predictions: string, labels: string, incomplete: boolean): Promise<Pairing> {
  const [predicted, present] = [
    await volumesIn(predictions, 'predictions'),
    await volumesIn(labels, 'labels'),
  ];
  const without = (files: ReadonlyMap<string, string>, partners: ReadonlyMap<string, string>) =>
    [...files.keys()].filter((id) => !partners.has(id));
  const [extra, missing] = [without(predicted, present), without(present, predicted)];
  if (!incomplete) {
    requirePartners('prediction', predicted, extra, 'label', labels, missing);
    requirePartners('label', present, missing, 'prediction', predictions, extra);
  }
  const pairs = [...predicted].flatMap(([id, prediction]) => {
    const reference = present.get(id);
    return reference === undefined ? [] : [{ id, prediction, reference }];
  });
  return { missing, extra, pairs };
}

/**
 * Volumes of a folder by name without ending, in order of name; hidden files and logits that `predict` wrote
 * are none.
 */
async function volumesIn(folder: string, what: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(
      `the folder of ${what}, ${folder}, cannot be read (${cause.code}): check the path`,
      { file: folder },
      { cause },
    );
  });
  const volumes = new Map<string, string>();
  for (const name of names
    .filter((name) => /^[^.].*\.nii(\.gz)?$/.test(name) && !/_logits\.nii/.test(name))
    .sort()) {
    const [id, file] = [name.replace(/\.nii(\.gz)?$/, ''), join(folder, name)];
    const other = volumes.get(id);
    if (other)
      throw new DataError(
        `${file} and ${other} are both named ${id}, but files pair by name: remove or rename one of them`,
        { file },
      );
    volumes.set(id, file);
  }
  if (volumes.size === 0)
    throw new DataError(`the folder of ${what}, ${folder}, holds no .nii or .nii.gz file`, { file: folder });
  return volumes;
}

function requirePartners(
  what: string,
  files: ReadonlyMap<string, string>,
  alone: readonly string[],
  partner: string,
  folder: string,
  alonePartners: readonly string[],
): void {
  const [first] = alone;
  if (first === undefined) return;
  const file = entryOf(files, first);
  const others =
    alone.length === 1 ? '' : `, nor have ${alone.length - 1} others of the ${files.size} in its folder`;
  const named = [
    ...(alone.length > 1 ? [`without a ${partner}: ${alone.join(', ')}`] : []),
    ...(alonePartners.length > 0 ? [`without a ${what}: ${alonePartners.join(', ')}`] : []),
  ];
  throw new DataError(
    `${what} ${file} has no ${partner}${others}: ${join(folder, `${first}.nii.gz`)} is expected; files pair by name, and every file needs its partner, ` +
      `unless --incomplete leaves out those without${named.length > 0 ? ` (${named.join('; ')})` : ''}`,
    { file, found: alone, expected: `a ${partner} for each ${what}` },
  );
}
