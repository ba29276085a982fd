import { join } from 'node:path';
import { itemAt } from '../at.js';
import { UsageError } from '../errors.js';
import type { LabelScheme } from '../inference/index.js';
import { type Volume, writeNifti } from '../volume/index.js';
import { makeFolder } from '../whole-file.js';

/**
 * Writes one mask a class or region (1 inside, 0 outside) into a folder with the label's name, as TotalSegmentator
 * writes them: `case/liver.nii.gz` beside `case.nii.gz`. An empty class gets an empty mask.
 * @param label the file of the label
 * @returns the files by class or region
 * @throws UsageError when two classes would have one file
 */
export async function writeMasks(
  label: string,
  predicted: Volume,
  scheme: LabelScheme,
): Promise<Readonly<Record<string, string>>> {
  const folder = maskFolder(label);
  const files = maskFiles(scheme);
  await makeFolder(folder);
  const written: Record<string, string> = {};
  for (const [i, name] of scheme.names.entries()) {
    const values = itemAt(scheme.values, i);
    const file = join(folder, itemAt(files, i));
    const data = Uint8Array.from(predicted.data, (value) => (values.includes(value) ? 1 : 0));
    await writeNifti(file, { ...predicted, data });
    written[name] = file;
  }
  return written;
}

/** The folder of the masks beside a label. */
export const maskFolder = (label: string): string => label.replace(/\.nii(\.gz)?$/i, '');

/**
 * The names of the mask files of a scheme, in its order.
 * @throws UsageError when two classes would have one file
 */
export function maskFiles({ names }: Pick<LabelScheme, 'names'>): string[] {
  const files = names.map((name) => {
    const safe = name
      .normalize('NFC')
      .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '_')
      .replace(/^[^\p{L}\p{N}]+/u, '');
    return `${safe === '' ? 'class' : safe}.nii.gz`;
  });
  const key = (file: string) => file.toLowerCase();
  const twin = files.findIndex((file, i) => files.findIndex((other) => key(other) === key(file)) < i);
  if (twin === -1) return files;
  const other = files.findIndex((file) => key(file) === key(itemAt(files, twin)));
  throw new UsageError(
    `the masks of the classes "${names[other]}" and "${names[twin]}" would both be ${files[twin]}: leave ` +
      '--masks-per-class out, or train with other names',
    { field: '--masks-per-class' },
  );
}
