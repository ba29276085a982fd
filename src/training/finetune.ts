import { join } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import {
  type Fold,
  labelledDatasets,
  openCropLoader,
  type PreparedCase,
  type PreparedIndex,
  readPreparedIndex,
  readPreparedVolume,
  selectCases,
  withFold,
} from '../dataset/index.js';
import { type State, useDevice } from '../engine/index.js';
import { DataError, UsageError } from '../errors.js';
import { dice } from '../evaluation/index.js';
import {
  type LabelScheme,
  labelScheme,
  openPredictor,
  type Predictor,
  predictLabel,
  requireImageSize,
  requireWindowMemory,
} from '../inference/index.js';
import { initialiseParameters, spatialSize } from '../network/index.js';
import { keepsRun } from '../ranks/index.js';
import type { Volume } from '../volume/index.js';
import { writeWholeFile } from '../whole-file.js';
import { drawnFraction } from './drawn-fraction.js';
import type { Validation } from './loop.js';
import { requireMemory } from './memory-check.js';
import { runMetadata } from './pretrain.js';
import { memoryOfRank, ofThisRank, shareOfReplicas } from './rank-group.js';
import { batchAsked } from './replicas.js';
import { carryOut, type RunResult } from './run.js';
import type { FinetuneSettings, RunOptions } from './run-settings.js';
import { scheduleOf } from './schedule.js';
import { segmentationNetwork, segmentationTask } from './segmentation-task.js';
import { transferredWeights } from './transfer.js';
import { preparationDifference, preparationMetadata, preparationOf, weightsFile } from './weights-source.js';

/** A fine-tuning run and the weights that it starts from. */
export interface FinetuneOptions extends RunOptions<FinetuneSettings> {
  /** Weights to start from: a run folder, such as that of a pre-training, or a file; absent: from scratch. */
  readonly init?: string | undefined;
}

/**
 * Trains a segmentation network on the labelled cases of a prepared folder, from pre-trained weights (whose
 * last layer is replaced) or from scratch, and keeps the weights of the best mean Dice over whole volumes.
 * @throws UsageError for settings that do not fit together, DataError for data or weights that do not, and as
 *   `carryOut` does
 */
export async function finetune({
  settings,
  init,
  out,
  resume = false,
  mayChange,
  progress = {},
  memoryBytes,
  signal,
  lifeline,
}: FinetuneOptions): Promise<RunResult> {
  const { seed, precision, data, train } = settings;
  const replicas = shareOfReplicas(train, lifeline);
  const keeps = keepsRun(lifeline);
  useDevice(settings.device);
  const index = withFold(await readPreparedIndex(data.prepared), foldOf(data));
  const caseIds = fineTunedCases(index, settings).map(({ id }) => id);
  const { prepared, cropSize, workers, prefetch, foregroundRatio } = data;
  const loader = await openCropLoader({
    preparedDir: prepared,
    split: 'all', // the index's own training split is not that of a fold
    caseIds,
    cropSize,
    batchSize: train.batchSize,
    seed,
    workers,
    processes: lifeline?.localRanks ?? 1,
    prefetch: prefetch * replicas.here,
    batchAsked: (asked) => batchAsked(replicas, asked),
    withLabels: true,
    foregroundRatio,
    augmentation: train.augmentation,
  });
  try {
    const scheme = taskScheme(index, loader.cases, data.regions);
    const network = segmentationNetwork(settings.network, loader.channels, scheme);
    const window = settings.inference.window ?? cropSize;
    requireImageSize(network, cropSize, 'data.cropSize');
    requireImageSize(network, window, 'inference.window');
    if (train.validateEvery > 0) requireWindowMemory(network, { ...settings.inference, window });
    const learned = segmentationTask({
      network,
      scheme,
      batchSize: train.batchSize,
      crop: spatialSize(cropSize),
      encoderRate: train.encoderRate,
    });
    await requireMemory(
      { kind: 'finetune', settings: ofThisRank(settings, replicas), channels: loader.channels, scheme },
      { memoryBytes: memoryBytes ?? memoryOfRank(lifeline), onNote: progress.onNote, signal },
    );
    const firstCase = itemAt(loader.cases, 0);
    // Before the folder is made, so that wrong weights leave none behind.
    const source = init === undefined || !keeps ? undefined : await weightsFile(init);
    const transferred =
      source === undefined || resume
        ? undefined
        : await transferredWeights(source, network, settings.network, settings.transfer);
    if (source !== undefined && transferred) {
      const difference = preparationDifference(
        source,
        transferred.preparation,
        preparationOf(preparationMetadata(index, firstCase)),
      );
      if (difference !== undefined) progress.onNote?.(difference);
    }
    for (const note of emptyLabels(scheme, loader.cases, 'training')) progress.onNote?.(note);
    const validationCases =
      train.validateEvery > 0 && keeps ? casesToValidate(index, settings, loader.cases) : [];
    for (const note of emptyLabels(scheme, validationCases, 'validation')) progress.onNote?.(note);
    const openValidation = (state: State) => {
      const predictor = openPredictor({
        ...settings.inference,
        window,
        network,
        states: [state],
        kind: scheme.kind,
        precision,
      });
      return () => validateDice(prepared, validationCases, predictor, scheme);
    };
    return await carryOut({
      out,
      resume,
      mayChange,
      seed,
      loader,
      task: { ...learned, ...(validationCases.length > 0 && { openValidation }) },
      precision,
      replicas,
      lifeline,
      train,
      progress,
      signal,
      config: { ...settings, init: source ?? null },
      schedule: scheduleOf(train, loader.cases.length),
      initialWeights: async () => {
        const fresh = initialiseParameters(network.specs, seed);
        if (source === undefined) return fresh;
        // A run that was stopped before its first checkpoint begins anew.
        const { values, report } =
          transferred ?? (await transferredWeights(source, network, settings.network, settings.transfer));
        await writeWholeFile(join(out, 'transfer.json'), `${JSON.stringify(report, null, 1)}\n`);
        progress.onTransfer?.(report);
        return { ...fresh, ...values };
      },
      metadata: {
        ...runMetadata(network, settings.network),
        scheme: JSON.stringify(scheme),
        ...preparationMetadata(index, firstCase),
      },
    });
  } finally {
    await loader.close();
  }
}

/** The fold of a cross-validation that the settings ask for. */
export function foldOf({
  fold,
  folds,
}: {
  readonly fold?: number | undefined;
  readonly folds?: number | undefined;
}): Fold | undefined {
  return fold === undefined || folds === undefined ? undefined : { fold, folds };
}

/**
 * The labelled training cases of the datasets asked for, or a share of them drawn by the seed; those without a
 * label only pre-train.
 * @throws DataError where there are none
 */
export function fineTunedCases(
  index: PreparedIndex,
  { data: { prepared, datasets, fraction }, seed }: Pick<FinetuneSettings, 'data' | 'seed'>,
): PreparedCase[] {
  const training = selectCases(index, { split: 'training', ...(datasets && { datasets }) }, prepared);
  const labelled = training.filter(({ label }) => label !== undefined);
  if (labelled.length === 0) {
    throw new DataError(
      `${prepared} has no training case with a label${datasets ? ` in ${datasets.join(', ')}` : ''}: ` +
        'give labels in the dataset index and run prepare again',
      { file: prepared, field: 'label' },
    );
  }
  const drawn = drawnFraction(labelled, fraction, seed);
  return labelled.filter(({ id }) => drawn.includes(id));
}

/**
 * What the outputs mean: the regions of the settings, else those of the dataset, else its classes. The cases of one
 * run must be of datasets with the same labels.
 * @param stated the regions of the settings
 */
export function taskScheme(
  index: PreparedIndex,
  cases: readonly PreparedCase[],
  stated: Readonly<Record<string, readonly number[]>> | undefined,
): LabelScheme {
  const names = [...new Set(cases.map(({ dataset }) => dataset))];
  const first = itemAt(names, 0);
  const others = names.slice(1);
  const { classes, regions, ignore } = entryOf(index.datasets, first);
  const labelsOf = (name: string) => {
    const dataset = entryOf(index.datasets, name);
    return JSON.stringify([dataset.classes, dataset.ignore, stated === undefined && dataset.regions]);
  };
  const other = others.find((name) => labelsOf(name) !== labelsOf(first));
  if (other !== undefined) {
    throw new UsageError(
      `the datasets ${first} and ${other} have different classes: choose one with data.datasets`,
      { field: 'data.datasets' },
    );
  }
  return labelScheme(classes, stated ?? regions, ignore);
}

function casesToValidate(
  index: PreparedIndex,
  { data }: FinetuneSettings,
  training: readonly PreparedCase[],
): readonly PreparedCase[] {
  if (data.validateOn === 'training') return training;
  const datasets = labelledDatasets(index, data.datasets, data.prepared);
  const cases = index.cases.filter(
    ({ split, dataset }) => split === 'validation' && datasets.includes(dataset),
  );
  const unlabelled = cases.find(({ label }) => label === undefined);
  if (cases.length > 0 && !unlabelled) return cases;
  throw new DataError(
    `${data.prepared} has ${unlabelled ? `a validation case without a label (${unlabelled.id})` : 'no validation case'}: ` +
      'set data.validateOn to training, or train.validateEvery to 0',
    { file: data.prepared, field: 'data.validateOn' },
  );
}

/** What no label of these cases has any voxel of, in sentences: nothing can be learned or measured of it. */
function emptyLabels(scheme: LabelScheme, cases: readonly PreparedCase[], which: string): string[] {
  if (cases.length === 0) return [];
  const has = (values: readonly number[]) =>
    cases.some(({ classVoxels }) => values.some((value) => (classVoxels[value]?.voxels ?? 0) > 0));
  const missing = scheme.names.filter((_, i) => !has(itemAt(scheme.values, i)));
  if (missing.length === 0) return [];
  const [labels, what] = [`none of the ${cases.length} ${which} labels`, missing.join(', ')];
  if (missing.length < scheme.names.length)
    return [
      `${labels} holds ${what}: the network cannot ${which === 'training' ? 'learn' : 'be chosen by'} it`,
    ];
  return [
    `${labels} holds any of ${what}, they are empty: a Dice of this run means nothing, so check the labels ` +
      'and the label values of the dataset index',
  ];
}

/** Mean Dice of each class over whole prepared volumes, and the mean of those. */
async function validateDice(
  prepared: string,
  cases: readonly PreparedCase[],
  predictor: Predictor,
  scheme: LabelScheme,
): Promise<Validation> {
  const found: (number | null)[][] = scheme.names.map(() => []);
  for (const validated of cases) {
    const { image, label } = await readPreparedVolume(prepared, validated);
    const predicted = await predictLabel(predictor, image, { grid: image, scheme, images: [validated.id] });
    if (!label) throw new DataError(`the validation case ${validated.id} has no label`);
    clearIgnored(predicted, label, scheme);
    for (const [i, values] of scheme.values.entries())
      itemAt(found, i).push(dice(membership(predicted, values), membership(label, values)));
  }
  const perClass = found.map(mean);
  const overall = mean(perClass);
  const ofClasses = Object.fromEntries(scheme.names.map((name, i) => [`dice ${name}`, perClass[i] ?? null]));
  const values: Record<string, number | null> = { dice: overall, ...ofClasses };
  return { values, score: overall ?? 0 };
}

/** Makes background, on both sides, of what the label has to be ignored. */
function clearIgnored(predicted: Volume, label: Volume, { ignore }: LabelScheme): void {
  if (ignore === undefined) return;
  label.data.forEach((value, i) => {
    if (value !== ignore) return;
    label.data[i] = 0;
    predicted.data[i] = 0;
  });
}

const membership = ({ data }: Volume, values: readonly number[]): Uint8Array =>
  Uint8Array.from(data, (value) => (values.includes(value) ? 1 : 0));

function mean(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null);
  return defined.length === 0 ? null : defined.reduce((sum, value) => sum + value, 0) / defined.length;
}
