import { join, resolve } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import {
  type DatasetFile,
  datasetFileSchema,
  indexDatasets,
  type SourceDataset,
  type SurveyedScan,
  type UnusableScan,
} from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import type { Modality } from '../volume/index.js';
import type { FoundDataset } from './find-datasets.js';
import type { Fingerprint } from './fingerprint.js';
import type { FoundScan } from './pair-scans.js';
import { type PlanOptions, planFiles } from './plan-options.js';

/** Share of the labelled scans that is held out to be evaluated. */
const validationShare = 0.2;

/** The dataset index of what was found, and its cases with their splits. */
export async function indexed(
  found: readonly FoundDataset[],
  {
    scans,
    unusable,
  }: { readonly scans: readonly SurveyedScan[]; readonly unusable: readonly UnusableScan[] },
  modality: Modality,
  options: PlanOptions,
): Promise<{ file: DatasetFile; sources: SourceDataset[] }> {
  const left = new Set(unusable.map(({ id }) => id));
  const entries = found.map((dataset) => {
    const { name } = dataset;
    const own = scans.filter(({ id }) => id.startsWith(`${name}/`));
    if (dataset.layout !== 'files') {
      const exclude = unusable.flatMap(({ id }) =>
        id.startsWith(`${name}/`) ? [id.slice(name.length + 1)] : [],
      );
      const { classes } = options;
      return [
        name,
        {
          layout: dataset.layout,
          path: dataset.path,
          ...(dataset.layout !== 'brats' && { modality }),
          ...(exclude.length > 0 && { exclude }),
          ...(classes && { classes }),
        },
      ] as const;
    }
    const usable = dataset.scans.filter(({ id }) => !left.has(`${name}/${id}`));
    return [name, filesEntry(usable, own, modality, options.classes)] as const;
  });
  const file = asDatasetFile(Object.fromEntries(entries), options);
  return { file, sources: await indexDatasets(file) };
}

/** Labels with more values than this are no labels. */
const mostClasses = 200;

function filesEntry(
  usable: readonly FoundScan[],
  scans: readonly SurveyedScan[],
  modality: Modality,
  given: PlanOptions['classes'],
): object {
  const values = new Map<string, string>();
  for (const { file, voxels } of scans)
    for (const value of Object.keys(voxels?.classVoxels ?? {}))
      if (!values.has(value)) values.set(value, file);
  const wrong = [...values].find(([value]) => !/^[1-9][0-9]*$/.test(value));
  if (wrong || values.size > mostClasses) {
    const [value, file] = wrong ?? [`${values.size} different values`, itemAt([...values.values()], 0)];
    throw new DataError(
      `the label of ${file} holds ${wrong ? `the value ${value}` : value}: a label has a whole number from 1 up for each class; name the folder of the labels with --labels`,
      { file, found: value },
    );
  }
  const numbers = [...values.keys()].map(Number).sort((a, b) => a - b);
  const labelled = usable.find(({ label }) => label !== undefined);
  if (labelled && numbers.length === 0 && !given) {
    throw new DataError(
      `no label holds a value but 0, the first is ${labelled.label}: name the classes with --classes, or leave the labels out`,
      { file: labelled.label ?? '', field: '--classes' },
    );
  }
  const unnamed = given && numbers.find((value) => given[value] === undefined);
  if (unnamed !== undefined) {
    throw new UsageError(
      `the label of ${entryOf(values, String(unnamed))} holds the value ${unnamed}, which --classes does not name`,
      { field: '--classes', found: unnamed },
    );
  }
  const classes = given ?? Object.fromEntries(numbers.map((value) => [value, `class ${value}`]));
  return {
    layout: 'files',
    modality,
    ...(Object.keys(classes).length > 0 && { classes }),
    cases: usable.map(({ id, images, label }) => ({
      id,
      ...(images.length === 1 ? { image: itemAt(images, 0) } : { images }),
      ...(label !== undefined && { label }),
    })),
  };
}

/** The index as its own schema makes it. */
export function asDatasetFile(
  datasets: object,
  { out, seed }: Pick<PlanOptions, 'out' | 'seed'>,
): DatasetFile {
  const file = join(resolve(out), planFiles.datasets);
  return { ...datasetFileSchema.parse({ schema: 1, seed, validationShare, datasets }), file };
}

/** The index with what the fingerprint says about preparation. */
export function datasetsWith({ file: _, ...content }: DatasetFile, fingerprint: Fingerprint): object {
  const { modality, targetSpacing, windowHu } = fingerprint;
  const preparation = {
    spacing: targetSpacing,
    ...(modality === 'ct'
      ? { intensity: 'ct-window', windowHu, foregroundThreshold: -500 }
      : { intensity: 'z-score', foregroundThreshold: 0 }),
  };
  return {
    ...content,
    datasets: Object.fromEntries(
      Object.entries(content.datasets).map(([name, entry]) => [name, { ...entry, ...preparation }]),
    ),
  };
}

/**
 * Refuses scans of different numbers of channels, and datasets of different classes.
 * @throws DataError or UsageError naming two that differ
 */
export function requireOneKind(sources: readonly SourceDataset[], scans: readonly SurveyedScan[]): void {
  const first = itemAt(scans, 0);
  const other = scans.find(({ channels }) => channels !== first.channels);
  if (other) {
    throw new DataError(
      `${other.file} has ${other.channels} channels, but ${first.file} has ${first.channels}: one network takes one number; plan them apart`,
      { file: other.file, field: 'channels', found: other.channels, expected: first.channels },
    );
  }
  const labelled = sources.filter(({ classes }) => Object.keys(classes).length > 0);
  const [one, ...others] = labelled;
  const differing = others.find(({ classes }) => JSON.stringify(classes) !== JSON.stringify(one?.classes));
  if (one && differing) {
    throw new UsageError(
      `${one.name} and ${differing.name} have different classes: plan them apart, or leave the labels of one out`,
      { field: 'FOLDER', found: differing.classes, expected: one.classes },
    );
  }
}
