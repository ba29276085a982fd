import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../../errors.js';
import { firstIssue } from '../../../first-issue.js';
import { isScanFile } from '../../../volume/index.js';
import { datasetFolder, type MsdDataset, parseJson } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { filesBelow } from '../walk-folder.js';
import { unlabelledNote, unmatchedNote } from './listed-parts.js';
import type { Listing } from './listing.js';

const numbered = z.union([z.record(z.string(), z.string()), z.array(z.string())]);
const listedScan = z.union([
  z.string().transform((image) => ({ image, label: undefined })),
  z.object({ image: z.string(), label: z.string().optional() }),
]);
const msdJson = z.looseObject({
  name: z.string().optional(),
  modality: numbered.optional(),
  labels: numbered,
  training: z.array(z.object({ image: z.string(), label: z.string() })).min(1),
  validation: z.array(listedScan).default([]),
  test: z.array(listedScan).default([]),
});

/**
 * Layout `msd`: a task folder of the Medical Segmentation Decathlon, described by its own `dataset.json`
 * (`training` pairs; `validation` and `test` pairs with those splits, as MONAI's lists have them; images of
 * both without labels with split `test` only when `includeTest` is set).
 * Modality and classes come from that file unless the index states them; the liver and spleen tasks have a
 * window of their own.
 * @throws DataError when `dataset.json` is missing or has another form
 */
export async function listMsdCases(name: string, entry: MsdDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const description = await readDescription(join(folder, 'dataset.json'));
  const extra = entry.labelMap && { labelMap: entry.labelMap };
  type Pair = { readonly image: string; readonly label: string };
  const labelled = (pairs: readonly Pair[], split?: 'validation' | 'test') =>
    pairs.map(({ image, label }): ListedCase => {
      const images = [resolve(folder, image)];
      return entry.withLabels
        ? {
            name: caseName(image),
            images,
            label: resolve(folder, label),
            ...extra,
            ...(split && { split }),
          }
        : { name: caseName(image), images };
    });
  const pairsOf = (scans: typeof description.test) =>
    scans.flatMap(({ image, label }): Pair[] => (label === undefined ? [] : [{ image, label }]));
  const { training, validation, test } = description;
  const pairs = [
    ...labelled(training),
    ...labelled(pairsOf(validation), 'validation'),
    ...labelled(pairsOf(test), 'test'),
  ];
  const unlabelled = [...validation, ...test]
    .filter(({ label }) => label === undefined)
    .map(
      ({ image }): ListedCase => ({
        name: caseName(image),
        images: [resolve(folder, image)],
        ...(entry.withLabels && { split: 'test' }),
      }),
    );
  const labels = [...training, ...pairsOf(validation), ...pairsOf(test)].map(({ label }) =>
    resolve(folder, label),
  );
  const listed = new Set([...pairs, ...unlabelled].flatMap(({ images }) => images).concat(labels));
  const others = (await filesBelow(folder)).filter((path) => !listed.has(resolve(path)));
  return {
    modality: entry.modality ?? modalityOf(description.modality),
    classes: entry.withLabels
      ? (entry.classes ??
        Object.fromEntries(Object.entries(description.labels).filter(([value]) => value !== '0')))
      : {},
    cases: entry.includeTest ? [...pairs, ...unlabelled] : pairs,
    notes: [
      ...unlabelledNote({ unlabelled }, entry.includeTest),
      ...otherListNotes(description),
      ...unmatchedNote(others, 'are listed by no "training", "validation" or "test" of dataset.json'),
    ],
    folder,
    descriptions: [join(folder, 'dataset.json')],
    leftOut: [
      ...(entry.includeTest
        ? []
        : [{ reason: 'without-labels' as const, files: unlabelled.flatMap(({ images }) => images) }]),
      ...(entry.withLabels ? [] : [{ reason: 'label-not-wanted' as const, files: labels }]),
    ],
    ...(/^(liver|spleen)$/i.test(description.name ?? '') && { preset: { windowHu: [-175, 250] } }),
  };
}

async function readDescription(file: string): Promise<z.infer<typeof msdJson>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new DataError(
      `${file} cannot be read: "path" of an "msd" dataset must be the task's folder, with dataset.json in it`,
      { file },
      { cause },
    );
  });
  const parsed = msdJson.safeParse(parseJson(text, file));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new DataError(`${file}: ${field}: ${message}`, { file, field });
}

/** Lists of scans under names that nobody reads, such as "unlabelled". */
function otherListNotes(description: z.infer<typeof msdJson>): string[] {
  const list = z.array(listedScan).min(1);
  return Object.entries(description).flatMap(([key, value]) => {
    const known = key in msdJson.shape || key === 'tensorImageSize';
    const { data } = list.safeParse(value);
    if (known || !data?.some(({ image }) => isScanFile(image))) return [];
    return [
      `dataset.json lists ${data.length} scans as "${key}", which are left out: ` +
        'only "training", "validation" and "test" are read',
    ];
  });
}

/** The Decathlon writes "CT" for CT and the sequence's name ("FLAIR", "T1w", "MRI") for everything else. */
function modalityOf(modality: z.infer<typeof msdJson>['modality']): 'ct' | 'mr' {
  return Object.values(modality ?? { 0: 'CT' }).every((channel) => /^ct$/i.test(channel)) ? 'ct' : 'mr';
}

/** `./imagesTr/liver_1.nii.gz` is the case `liver_1`. */
function caseName(image: string): string {
  return basename(image).replace(/\.nii(\.gz)?$/i, '');
}
