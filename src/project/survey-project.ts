import {
  indexDatasets,
  type SurveyedScan,
  type SurveyTask,
  surveyScans,
  type UnusableScan,
} from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import { type Modality, modalityOfLowest } from '../volume/index.js';
import type { FoundDataset } from './find-datasets.js';
import { asDatasetFile } from './index-project.js';
import type { PlanOptions } from './plan-options.js';
import { modalityOf } from './rules/modality.js';

/** What was seen of the scans. */
export interface Surveyed {
  readonly scans: readonly SurveyedScan[];
  readonly unusable: readonly UnusableScan[];
  readonly modality: Modality;
  /** Where values contradict the modality. */
  readonly notes: readonly string[];
}

/**
 * Looks at the scans of datasets, and settles what they are.
 * @throws DataError for scans that cannot be used, or a label that is not called one; UsageError where values and
 *   flags do not tell one modality; InterruptedError after the signal
 */
export async function surveyProject(found: readonly FoundDataset[], options: PlanOptions): Promise<Surveyed> {
  const read = await surveyAll(await readingsOf(found, options), options);
  if (options.labels === undefined) refuseLabelsAsScans(read.scans);
  return { ...read, ...(await settledModality(found, read, options)) };
}

/** Scans of which the voxels are read, where there is no label to count: enough to tell CT from MR. */
const unlabelledRead = 20;

/** A scan and the dataset that it is of. */
interface Reading {
  readonly dataset: string;
  readonly task: SurveyTask;
}

/** What is read: labelled scans whole, of the others some; the rest by their headers. */
async function readingsOf(
  found: readonly FoundDataset[],
  options: PlanOptions,
): Promise<{ readings: Reading[]; problems: UnusableScan[] }> {
  const problems: UnusableScan[] = [];
  const listed: {
    dataset: string;
    id: string;
    images: readonly string[];
    label?: string | undefined;
    labelMap?: SurveyTask['labelMap'];
  }[] = [];
  for (const dataset of found) {
    const { name } = dataset;
    if (dataset.layout === 'files') {
      for (const { id, images, label } of dataset.scans)
        listed.push({ dataset: name, id: `${name}/${id}`, images, label });
      continue;
    }
    const file = asDatasetFile({ [name]: { layout: dataset.layout, path: dataset.path } }, options);
    for (const { cases } of await indexDatasets(file))
      for (const { id, images, label, labelMap, problem } of cases)
        if (problem === undefined) listed.push({ dataset: name, id, images, label, labelMap });
        else problems.push({ id, file: images[0] ?? label ?? dataset.path, problem });
  }
  const unlabelled = listed.filter(({ label }) => label === undefined);
  const sampled = new Set(spread(unlabelled, unlabelledRead).map(({ id }) => id));
  const readings = listed.map(({ dataset, id, images, label, labelMap }) => ({
    dataset,
    task: {
      id,
      images,
      ...(label !== undefined && { label }),
      ...(labelMap && { labelMap }),
      voxels: label !== undefined || sampled.has(id),
    },
  }));
  return { readings, problems };
}

/** Some of a list from all over it, but not every second or third: names alternate where labels lie beside scans. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  const places = new Set<number>();
  for (let i = 0; places.size < most; i++) places.add(Math.floor(((i * goldenRatio) % 1) * items.length));
  return items.filter((_, place) => places.has(place));
}

const goldenRatio = (Math.sqrt(5) - 1) / 2;

interface Read {
  readonly scans: readonly SurveyedScan[];
  readonly unusable: readonly UnusableScan[];
}

async function surveyAll(
  {
    readings,
    problems,
  }: { readonly readings: readonly Reading[]; readonly problems: readonly UnusableScan[] },
  { incomplete = false, onNote, onScan, signal }: PlanOptions,
): Promise<Read> {
  const labelled = readings.filter(({ task }) => task.label !== undefined).length;
  const total = readings.length + problems.length;
  onNote?.(`${total} scans, ${labelled} with labels: looking at them`);
  const read = await surveyScans(
    readings.map(({ task }) => task),
    { signal, onScan },
  );
  const unusable = [...problems, ...read.unusable];
  const [first] = unusable;
  if (first === undefined) return read;
  if (incomplete && read.scans.length > 0) return { scans: read.scans, unusable };
  const remedy = read.scans.length > 0 ? ': mend or remove them, or leave them out with --incomplete' : '';
  throw new DataError(
    `${unusable.length} of ${total} scans cannot be used; the first: ${first.problem}${remedy}`,
    { file: first.file, found: unusable.length },
  );
}

/**
 * A file that holds few whole numbers, among others that do not, is a label whose name does not say so.
 * @throws DataError naming it
 */
function refuseLabelsAsScans(scans: readonly SurveyedScan[]): void {
  const label = scans.find(({ voxels }) => voxels?.fewValues !== undefined);
  if (!label?.voxels || scans.every(({ voxels }) => voxels === undefined || voxels.fewValues !== undefined))
    return;
  const { file } = label;
  throw new DataError(
    `${file} holds ${label.voxels.fewValues} whole numbers up to ${label.voxels.highest}, as a label does, but neither its name nor its folder says so: end its name in "_seg", or move the labels into a folder of their own and name it with --labels`,
    { file, field: '--labels', found: label.voxels.fewValues },
  );
}

/** The modality that the flag, the layout or the values say; the values may contradict and are then noted. */
async function settledModality(
  found: readonly FoundDataset[],
  { scans }: Read,
  options: PlanOptions,
): Promise<{ modality: Modality; notes: string[] }> {
  const ranges = scans.flatMap(({ file, voxels }) => (voxels ? [{ file, ...voxels }] : []));
  const described = new Set<Modality>();
  for (const dataset of found) {
    if (dataset.layout === 'files') continue;
    const file = asDatasetFile({ [dataset.name]: { layout: dataset.layout, path: dataset.path } }, options);
    for (const { modality } of await indexDatasets(file)) described.add(modality);
  }
  if (described.size > 1 && options.modality === undefined)
    throw new UsageError('some of the folders hold CT and some MR: plan them apart', { field: 'FOLDER' });
  const modality = options.modality ?? [...described][0] ?? modalityOf(ranges);
  const other = ranges.find(({ lowest }) => {
    const told = modalityOfLowest(lowest);
    return told !== undefined && told !== modality;
  });
  const said = options.modality ? '--modality says' : 'the folder says';
  const note = other
    ? [
        `${said} ${modality.toUpperCase()}, but ${other.file} has values from ${other.lowest} to ${other.highest}, as ${modality === 'ct' ? 'MR' : 'CT'} has`,
      ]
    : [];
  return { modality, notes: note };
}
