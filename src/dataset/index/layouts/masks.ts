import { basename, join } from 'node:path';
import { DataError, UsageError } from '../../../errors.js';
import { isScanFile, scanName } from '../../../volume/index.js';
import { datasetFolder, type MasksDataset } from '../dataset-file.js';
import type { ListedCase, Masks } from '../listed-case.js';
import { filesBelow } from '../walk-folder.js';
import { withFolders } from './folder.js';
import { globCase } from './glob-case.js';
import type { Listing } from './listing.js';
import { matchCases } from './match-cases.js';

/**
 * Layout `masks`: a folder a case with one mask a structure, as TotalSegmentator's data set has them
 * (`s0001/ct.nii.gz`, `s0001/segmentations/liver.nii.gz`). The masks of the chosen structures become the classes;
 * a structure without a mask is not in that case.
 * @throws DataError when nothing matches, UsageError for a structure that no case has
 */
export async function listMaskCases(name: string, entry: MasksDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const root = folder.replaceAll('\\', '/');
  const globs = [entry.images].flat();
  const patterns = {
    channels: globs.map((glob) => ({ name: glob, caseOf: globCase(root, glob) })),
    labelOf: globCase(root, entry.masks),
    partOf: () => root,
  };
  const files = await filesBelow(folder);
  const { labelled, unlabelled } = matchCases(withFolders(files), patterns);
  if (labelled.length + unlabelled.length === 0)
    throw new DataError(
      `no file below ${folder} matches ${globs.map((glob) => `"${join(folder, glob)}"`).join(' or ')}: correct "path" or "images"`,
      { file: folder, field: 'images', expected: globs },
    );
  const folders = new Set(labelled.map(({ label }) => label));
  const masksIn = masksByFolder(files.filter((path) => folders.has(folderOf(path))));
  const structures = structuresOf(name, entry, file);
  const cases = [...labelled, ...unlabelled].map((listed) => withMasks(listed, entry, structures, masksIn));
  requireKnown(name, structures, masksIn, file);
  const used = new Set(cases.flatMap(({ masks }) => masks?.files.map((mask) => mask.file) ?? []));
  const others = [...masksIn.values()].flatMap((ofFolder) => [...ofFolder.values()].flat());
  return {
    modality: entry.modality,
    classes: entry.classes,
    cases,
    folder,
    leftOut: [{ reason: 'other-structure', files: others.filter((path) => !used.has(path)) }],
  };
}

interface Structure {
  readonly value: number;
  readonly name: string;
}

/** The structures of each class, in the order of classes. */
function structuresOf(
  dataset: string,
  { classes, structures = {} }: MasksDataset,
  file: string,
): Structure[] {
  const names = Object.values(classes);
  const stranger = Object.keys(structures).find((name) => !names.includes(name));
  if (stranger !== undefined)
    throw new UsageError(
      `${file}: datasets.${dataset}.structures has "${stranger}", which is no class: the classes are ${names.join(', ')}`,
      { file, field: `datasets.${dataset}.structures`, found: stranger, expected: names },
    );
  return Object.entries(classes).flatMap(([value, name]) =>
    [structures[name] ?? name]
      .flat()
      .map((structure) => ({ value: Number(value), name: structure.normalize('NFC') })),
  );
}

/** The mask files of each folder by the structure's name. */
type MasksIn = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

function masksByFolder(files: readonly string[]): MasksIn {
  const folders = new Map<string, Map<string, string[]>>();
  for (const path of files) {
    if (!isScanFile(path)) continue;
    const folder = folderOf(path);
    const known = folders.get(folder) ?? new Map<string, string[]>();
    folders.set(folder, known);
    const structure = scanName(basename(path)).normalize('NFC');
    known.set(structure, [...(known.get(structure) ?? []), path]);
  }
  return folders;
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

function withMasks(
  listed: ListedCase,
  { overlap, labelMap }: MasksDataset,
  structures: readonly Structure[],
  masksIn: MasksIn,
): ListedCase {
  if (listed.label === undefined || listed.problem !== undefined) return listed;
  const there = masksIn.get(listed.label) ?? new Map<string, readonly string[]>();
  const found = structures.map(({ value, name }) => ({ value, files: there.get(name) ?? [] }));
  const twice = found.find(({ files }) => files.length > 1);
  if (twice)
    return {
      ...listed,
      problem: `two files are masks of one structure, ${twice.files.join(' and ')}: remove one`,
    };
  const files = found.flatMap(({ value, files: [file] }) => (file === undefined ? [] : [{ value, file }]));
  if (files.length === 0)
    return {
      ...listed,
      problem:
        `${listed.label} holds none of the masks ${structures.map(({ name }) => name).join(', ')}: ` +
        'add an empty mask where the case has none of these structures, or leave the case out',
    };
  const masks: Masks = { files, overlap };
  return { ...listed, masks, ...(labelMap && { labelMap }) };
}

/** A missing mask means that a structure is absent, so a name that no case has is a wrong name. */
function requireKnown(
  dataset: string,
  structures: readonly Structure[],
  masksIn: MasksIn,
  file: string,
): void {
  const known = new Set([...masksIn.values()].flatMap((masks) => [...masks.keys()]));
  const unknown = structures.find(({ name }) => !known.has(name));
  if (!unknown) return;
  const some = [...known].sort();
  throw new UsageError(
    `${file}: datasets.${dataset} has no mask "${unknown.name}" in any case: the files are named ` +
      `${some.slice(0, 12).join(', ')}${some.length > 12 ? ` and ${some.length - 12} others` : ''}; ` +
      'say with "structures": {"CLASS": ["MASK"]} which masks make up a class',
    { file, field: `datasets.${dataset}.structures`, found: unknown.name, expected: some },
  );
}
