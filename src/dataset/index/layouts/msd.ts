import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../../errors.js';
import { firstIssue } from '../../../first-issue.js';
import { datasetFolder, type MsdDataset, parseJson } from '../dataset-file.js';
import type { ListedCase } from '../listed-case.js';
import { unlabelledNote } from './listed-parts.js';
import type { Listing } from './listing.js';

const numbered = z.union([z.record(z.string(), z.string()), z.array(z.string())]);
const msdJson = z.object({
  name: z.string().optional(),
  modality: numbered.optional(),
  labels: numbered,
  training: z.array(z.object({ image: z.string(), label: z.string() })).min(1),
  test: z.array(z.union([z.string(), z.object({ image: z.string() })])).default([]),
});

/**
 * Layout `msd`: a task folder of the Medical Segmentation Decathlon, described by its own `dataset.json`
 * (`training` pairs; `test` images without labels, listed with split `test` only when `includeTest` is set).
 * Modality and classes come from that file unless the index states them; the liver and spleen tasks have a
 * window of their own.
 * @throws DataError when `dataset.json` is missing or has another form
 */
export async function listMsdCases(name: string, entry: MsdDataset, file: string): Promise<Listing> {
  const folder = datasetFolder(name, entry, file);
  const description = await readDescription(join(folder, 'dataset.json'));
  const extra = entry.labelMap && { labelMap: entry.labelMap };
  const training = description.training.map(({ image, label }): ListedCase => {
    const images = [resolve(folder, image)];
    return entry.withLabels
      ? { name: caseName(image), images, label: resolve(folder, label), ...extra }
      : { name: caseName(image), images };
  });
  const test = description.test.map((item): ListedCase => {
    const image = typeof item === 'string' ? item : item.image;
    return {
      name: caseName(image),
      images: [resolve(folder, image)],
      ...(entry.withLabels && { split: 'test' }),
    };
  });
  return {
    modality: entry.modality ?? modalityOf(description.modality),
    classes: entry.withLabels
      ? (entry.classes ??
        Object.fromEntries(Object.entries(description.labels).filter(([value]) => value !== '0')))
      : {},
    cases: entry.includeTest ? [...training, ...test] : training,
    notes: unlabelledNote({ unlabelled: test }, entry.includeTest),
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

/** The Decathlon writes "CT" for CT and the sequence's name ("FLAIR", "T1w", "MRI") for everything else. */
function modalityOf(modality: z.infer<typeof msdJson>['modality']): 'ct' | 'mr' {
  return Object.values(modality ?? { 0: 'CT' }).every((channel) => /^ct$/i.test(channel)) ? 'ct' : 'mr';
}

/** `./imagesTr/liver_1.nii.gz` is the case `liver_1`. */
function caseName(image: string): string {
  return basename(image).replace(/\.nii(\.gz)?$/i, '');
}
