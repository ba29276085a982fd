import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import {
  type DatasetFile,
  datasetFileSchema,
  indexDatasets,
  type SourceDataset,
  type SurveyedScan,
  type SurveyTask,
  surveyScans,
  type UnusableScan,
} from '../dataset/index.js';
import { DataError, InterruptedError, UsageError } from '../errors.js';
import { measureStepApart, stepBudget } from '../training/index.js';
import { type Modality, modalityOfLowest } from '../volume/index.js';
import { type ChosenStep, chooseStep, type Limits, type TakeStep } from './choose-step.js';
import { type FoundDataset, findDatasets } from './find-datasets.js';
import { type Fingerprint, fingerprintOf } from './fingerprint.js';
import type { FoundScan } from './pair-scans.js';
import { modalityOf } from './rules/modality.js';
import { fewestSteps } from './rules/schedule.js';
import type { Place } from './step-settings.js';

export interface PlanOptions {
  readonly folders: readonly string[];
  /** The project: plan, prepared scans and runs. */
  readonly out: string;
  readonly labels?: string | undefined;
  readonly modality?: Modality | undefined;
  /** Names by label value; absent: those of the layout, else `class 1`. */
  readonly classes?: Readonly<Record<string, string>> | undefined;
  readonly memoryBytes: number;
  readonly hours: number;
  readonly seed: number;
  /** Scans that cannot be used are left out and named, instead of refused. */
  readonly incomplete?: boolean;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly onScan?: ((id: string, done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How a step is taken; by default in a process of its own. */
  readonly take?: TakeStep | undefined;
}

/** What was found, what follows from it, and what the machine takes for it. */
export interface ProjectPlan {
  /** Absolute. */
  readonly project: string;
  readonly place: Place;
  readonly fingerprint: Fingerprint;
  /** The dataset index, as its schema takes it. */
  readonly datasets: object;
  readonly chosen: ChosenStep;
  readonly limits: Limits & { readonly hours: number };
  readonly seed: number;
  /** Labelled scans that train, and that are held out. */
  readonly labelledTraining: number;
  readonly heldOut: number;
  /** Scans that pre-train. */
  readonly pretraining: number;
  readonly diskBytes: number;
  /** What somebody should know of the scans. */
  readonly notes: readonly string[];
}

/** Scans of which the voxels are read, where there is no label to count: enough to tell CT from MR. */
const unlabelledRead = 20;

/** Share of the labelled scans that is held out to be evaluated. */
const validationShare = 0.2;

/**
 * Looks at folders of scans and plans their pre-training and fine-tuning for this machine. Nothing is written.
 * @throws UsageError where flags are missing or contradict the scans; DataError for scans that cannot be used
 *   together; InterruptedError after `signal`
 */
export async function planProject(options: PlanOptions): Promise<ProjectPlan> {
  const { out, memoryBytes, hours, seed, onNote, signal } = options;
  const project = resolve(out);
  refusePlanned(out);
  const found = await findDatasets(options);
  const read = await surveyAll(await readingsOf(found, options), options);
  if (options.labels === undefined) refuseLabelsAsScans(read.scans);
  const { modality, notes } = await settledModality(found, read, options);
  const facts = await indexed(found, read, modality, options);
  const labelled = new Set(
    facts.sources.flatMap(({ cases }) => cases.flatMap(({ id, label }) => (label === undefined ? [] : [id]))),
  );
  requireOneKind(facts.sources, read.scans);
  const classes = itemAt(
    [...facts.sources.filter(({ classes }) => Object.keys(classes).length > 0), ...facts.sources],
    0,
  ).classes;
  const fingerprint = fingerprintOf({ modality, classes, scans: read.scans, labelled });
  const place: Place = {
    prepared: join(project, 'prepared'),
    datasets: facts.sources.map(({ name }) => name),
    labelled: facts.sources.filter(({ cases }) => cases.some(({ label }) => label)).map(({ name }) => name),
  };
  const prepared = read.scans.map((scan) => preparedBytes(scan, fingerprint));
  const limits = { memoryBytes, scanBytes: Math.max(...prepared), seconds: 3600 * hours };
  const take = options.take ?? takenApart(onNote, signal);
  const chosen = await chooseStep(fingerprint, limits, place, take);
  if (!chosen) {
    throw new UsageError(
      `the smallest step of a pre-training and a fine-tuning does not fit in ${gib(memoryBytes)} of memory: give more with --memory`,
      { field: '--memory', found: memoryBytes },
    );
  }
  const cases = facts.sources.flatMap(({ cases }) => cases);
  const short = chosen.short
    ? [
        `${hours} h are few on this machine: even the smallest step cannot be taken ${fewestSteps.pretrain} times in pre-training and ${fewestSteps.finetune} times in fine-tuning; more --hours will learn more`,
      ]
    : [];
  const count = (split: 'training' | 'validation', needsLabel: boolean) =>
    cases.filter((listed) => listed.split === split && (!needsLabel || listed.label !== undefined)).length;
  const heldOut = count('validation', true);
  const unheld =
    labelled.size > 0 && heldOut === 0
      ? [
          `no labelled scan is held out, since ${labelled.size === 1 ? 'only one has a label' : 'too few have labels'}: the evaluation will be of scans that were trained on, and too good`,
        ]
      : [];
  return {
    project,
    place,
    fingerprint,
    datasets: datasetsWith(facts.file, fingerprint),
    chosen,
    limits: { ...limits, hours },
    seed,
    labelledTraining: count('training', true),
    heldOut,
    pretraining: count('training', false),
    diskBytes: prepared.reduce((sum, bytes) => sum + bytes, 0),
    notes: [
      ...found.flatMap((dataset) => (dataset.layout === 'files' ? dataset.notes : [])),
      ...notes,
      ...read.unusable.map(({ id, problem }) => `${id} is left out: ${problem}`),
      ...facts.sources.flatMap(({ name, notes: own }) => own.map((note) => `${name}: ${note}`)),
      ...unheld,
      ...short,
    ],
  };
}

/** Files of a plan; where one is there, another plan would be lost. */
export const planFiles = {
  plan: 'plan.json',
  datasets: 'datasets.json',
  pretrain: 'pretrain.yaml',
  finetune: 'finetune.yaml',
  reasons: 'plan.md',
} as const;

function refusePlanned(out: string): void {
  const there = Object.values(planFiles).find((name) => existsSync(join(out, name)));
  if (there === undefined) return;
  throw new UsageError(
    `${out} already holds a plan (${there}): carry it out with "hybridmim run ${out}", or choose another --out`,
    { file: out, field: '--out' },
  );
}

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

/** The dataset index of what was found, and its cases with their splits. */
async function indexed(
  found: readonly FoundDataset[],
  { scans, unusable }: Read,
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
function asDatasetFile(datasets: object, { out, seed }: Pick<PlanOptions, 'out' | 'seed'>): DatasetFile {
  const file = join(resolve(out), planFiles.datasets);
  return { ...datasetFileSchema.parse({ schema: 1, seed, validationShare, datasets }), file };
}

/** The index with what the fingerprint says about preparation. */
function datasetsWith({ file: _, ...content }: DatasetFile, fingerprint: Fingerprint): object {
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

function requireOneKind(sources: readonly SourceDataset[], scans: readonly SurveyedScan[]): void {
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

/** Bytes of a scan at the target spacing: float32, and a label of one byte. */
function preparedBytes({ size, spacing }: SurveyedScan, { targetSpacing, channels }: Fingerprint): number {
  const voxels = [0, 1, 2].reduce(
    (product, axis) =>
      product * Math.ceil((itemAt(size, axis) * itemAt(spacing, axis)) / itemAt(targetSpacing, axis)),
    1,
  );
  return voxels * (4 * channels + 1);
}

/**
 * Seconds that a step may take to begin: starting TensorFlow, making and optimising the graph. It takes a few on
 * a free machine, and many times that on one with other work.
 */
const startSeconds = 240;

/** Steps of which the median counts. */
const stepsTimed = 3;

/** Takes steps in processes of their own, which are ended when they hold or take too much. */
function takenApart(onNote: PlanOptions['onNote'], signal: AbortSignal | undefined): TakeStep {
  return async (step, { memoryBytes, seconds }) => {
    const { train, data, network } = step.settings;
    const what = `${step.kind === 'pretrain' ? 'pre-training' : 'fine-tuning'} step, crop ${data.cropSize.join('x')}, batch ${train.batchSize}, width ${'features' in network ? network.features[0] : '-'}`;
    const late = Number.isFinite(seconds)
      ? AbortSignal.timeout(Math.ceil(1000 * (startSeconds + (stepsTimed + 2) * seconds)))
      : undefined;
    const budget = stepBudget(step, memoryBytes);
    try {
      const outcome = await measureStepApart(
        { step, batch: 'whole', memoryBytes: budget, steps: stepsTimed },
        AbortSignal.any([signal, late].flatMap((given) => given ?? [])),
      );
      if (outcome.kind === 'measured') {
        const { seconds: taken, peakBytes } = outcome.step;
        onNote?.(`${what}: ${taken.toPrecision(3)} s${peakBytes === null ? '' : `, ${gib(peakBytes)}`}`);
        return { seconds: taken, peakBytes };
      }
      if (outcome.kind === 'failed') throw new DataError(outcome.reason);
      onNote?.(`${what}: needs more than ${gib(memoryBytes)}`);
      return undefined;
    } catch (error) {
      if (!(error instanceof InterruptedError) || signal?.aborted) throw error;
      onNote?.(`${what}: takes too long`);
      return undefined;
    }
  };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
