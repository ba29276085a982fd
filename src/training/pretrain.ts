import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import { byteSize } from '../byte-size.js';
import {
  type CaseSelection,
  type CropBatch,
  type CropOfWord,
  openCropLoader,
  type PreparedCase,
  readPreparedIndex,
  requireTrainingCasesOnly,
  selectCases,
  unitScales,
} from '../dataset/index.js';
import { type InputValues, useDevice } from '../engine/index.js';
import { DataError, UsageError } from '../errors.js';
import { freeMemory } from '../free-memory.js';
import {
  initialiseParameters,
  makeNetwork,
  type Network,
  type NetworkSettings,
  spatialSize,
} from '../network/index.js';
import { pretextMethod, voxelCorruption } from '../pretext/index.js';
import { keepsRun } from '../ranks/index.js';
import { writeWholeFile } from '../whole-file.js';
import type { LearningTask } from './learning-task.js';
import type { RunProgress } from './loop.js';
import { requireMemory } from './memory-check.js';
import { heldOutValidation, pretrainingTask } from './pretraining-task.js';
import { memoryOfRank, ofThisRank, shareOfReplicas } from './rank-group.js';
import { openReconstructionPicture } from './reconstruction-picture.js';
import { batchAsked } from './replicas.js';
import { carryOut, type RunResult } from './run.js';
import type { PretrainSettings, RunOptions } from './run-settings.js';
import { scheduleOf } from './schedule.js';
import { transferredWeights } from './transfer.js';
import type { VisualWord } from './visual-words/choose-words.js';
import { discoverWords } from './visual-words/discover-words.js';
import { preparationDifference, preparationMetadata, preparationOf, weightsFile } from './weights-source.js';

/** A pre-training run and the weights that it starts from. */
export interface PretrainOptions extends RunOptions<PretrainSettings> {
  /** Weights to go on from, on these scans: a run folder or a file; absent: from scratch. */
  readonly init?: string | undefined;
}

/**
 * Pre-trains a network on the crops of a prepared folder, without labels, and keeps the weights of the lowest
 * held-out loss.
 * @throws UsageError for settings that do not fit together, DataError for data that does not or for a
 *   held-out case in task-specific pre-training, and as `carryOut` does
 */
export async function pretrain({
  settings,
  out,
  resume = false,
  mayChange,
  progress = {},
  memoryBytes,
  signal,
  init,
  lifeline,
}: PretrainOptions): Promise<RunResult> {
  const { seed, precision, data, train } = settings;
  const replicas = shareOfReplicas(train, lifeline);
  const keeps = keepsRun(lifeline);
  useDevice(settings.device);
  const learnedFrom = await casesToLearnFrom(data);
  const source = init === undefined || !keeps ? undefined : await weightsFile(init);
  const words = await visualWords(settings, learnedFrom, keeps ? out : undefined, progress, signal);
  const loader = await openCropLoader({
    ...cropOptions(settings, learnedFrom),
    processes: lifeline?.localRanks ?? 1,
    prefetch: data.prefetch * replicas.here,
    batchAsked: (asked) => batchAsked(replicas, asked),
    ...(words && { crops: cropsOf(words, 'instances') }),
  });
  try {
    const network = makeNetwork(settings.network, {
      inChannels: loader.channels,
      outChannels: loader.channels,
    });
    const targets = voxelCorruption(settings.method)
      ? undefined
      : await scaledTargets(data.prepared, loader.cases); // corrupted crops are scaled already
    const batch = {
      size: train.batchSize,
      crop: spatialSize(data.cropSize),
      scaledTargets: targets !== undefined,
    };
    const method = pretextMethod(network, batch, settings.method);
    const learned = pretrainingTask({ network, method, batch, seed, scalesOf: targets });
    await requireMemory(
      { kind: 'pretrain', settings: ofThisRank(settings, replicas), channels: loader.channels },
      { memoryBytes: memoryBytes ?? memoryOfRank(lifeline), onNote: progress.onNote, signal },
    );
    const held =
      train.validateEvery > 0 && keeps
        ? await fixedInputs(
            settings,
            learned,
            { split: 'validation' },
            train.validationBatches,
            words && cropsOf(words, 'heldOut'),
          )
        : undefined;
    const [pictured = {}] =
      held ??
      (keeps
        ? await fixedInputs(settings, learned, learnedFrom, 1, words && cropsOf(words, 'instances'))
        : []);
    const { inputs, reconstruct } = method;
    const task: LearningTask = {
      ...learned,
      ...(held && { openValidation: heldOutValidation(learned, held) }),
      openPicture: (state, precision) =>
        openReconstructionPicture({ inputs, reconstruct }, pictured, state, precision),
    };
    // Before the folder is made, so that wrong weights leave none behind.
    const transferred =
      source === undefined || resume
        ? undefined
        : await transferredWeights(source, network, settings.network);
    const index = await readPreparedIndex(data.prepared);
    const preparation = preparationMetadata(index, itemAt(loader.cases, 0));
    if (source !== undefined && transferred) {
      const difference = preparationDifference(source, transferred.preparation, preparationOf(preparation));
      if (difference !== undefined) progress.onNote?.(difference);
    }
    return await carryOut({
      out,
      resume,
      mayChange,
      seed,
      loader,
      task,
      precision,
      replicas,
      lifeline,
      train,
      progress,
      signal,
      config: { ...settings, ...(source !== undefined && { init: source }) },
      schedule: scheduleOf(train, loader.cases.length),
      initialWeights: async () => {
        const fresh = initialiseParameters(task.parameters, seed);
        if (source === undefined) return fresh;
        const { values, report } =
          transferred ?? (await transferredWeights(source, network, settings.network));
        await writeWholeFile(join(out, 'transfer.json'), `${JSON.stringify(report, null, 1)}\n`);
        progress.onTransfer?.(report);
        const taken = Object.entries(values).filter(([name]) => name in fresh);
        return { ...fresh, ...Object.fromEntries(taken) };
      },
      metadata: { ...runMetadata(network, settings.network), ...preparation },
    });
  } finally {
    await loader.close();
  }
}

/** Cases by split, or by name within one. */
export type CaseChoice = Pick<CaseSelection, 'split' | 'caseIds'>;

/**
 * The cases of the split that the settings name.
 * @throws DataError where there are none, or for a held-out case in task-specific pre-training
 */
export async function casesToLearnFrom({
  prepared,
  datasets,
  split,
  mode,
}: PretrainSettings['data']): Promise<CaseChoice> {
  const index = await readPreparedIndex(prepared);
  const ofSplit = {
    split: split === 'unlabelled' ? 'training' : split,
    ...(datasets && { datasets }),
  } as const;
  const selected = selectCases(index, ofSplit, prepared);
  const chosen = split === 'unlabelled' ? selected.filter(({ label }) => label === undefined) : selected;
  if (chosen.length === 0) {
    throw new DataError(
      `${prepared} has no training case without a label: set data.split to training, or prepare unlabelled scans`,
      { file: prepared, field: 'data.split', found: split },
    );
  }
  if (mode === 'task-specific') requireTrainingCasesOnly(index, chosen, prepared);
  return split === 'unlabelled' ? { split: 'training', caseIds: chosen.map(({ id }) => id) } : { split };
}

/** The cases of a choice. */
export async function preparedCasesOf(
  { prepared, datasets }: PretrainSettings['data'],
  choice: CaseChoice,
): Promise<PreparedCase[]> {
  const index = await readPreparedIndex(prepared);
  return selectCases(index, { ...choice, ...(datasets && { datasets }) }, prepared);
}

/**
 * TransVW's words, found in the folder `words` of the run before it begins; undefined for other methods.
 * @param out the run folder; absent: one of its own, for a rank that keeps no run. It finds the same words
 */
async function visualWords(
  { seed, precision, data, network, method, train }: PretrainSettings,
  learnedFrom: CaseChoice,
  out: string | undefined,
  progress: RunProgress,
  signal?: AbortSignal,
) {
  if (method.name !== 'transvw') return undefined;
  const { prepared, datasets, cropSize } = data;
  const withHeldOut = train.validateEvery > 0;
  const { name: _, ...config } = method;
  const folder = out ?? (await mkdtemp(join(tmpdir(), 'hybridmim-words-')));
  const words = await discoverWords({
    seed,
    precision,
    prepared,
    datasets,
    learnedFrom,
    withHeldOut,
    cropSize,
    network,
    config,
    train,
    out: join(folder, 'words'),
    progress,
    signal,
  });
  if (out === undefined) await rm(folder, { recursive: true });
  return words;
}

const cropsOf = (words: readonly VisualWord[], which: 'instances' | 'heldOut'): CropOfWord[] =>
  words.flatMap((word, i) => word[which].map((instance) => ({ word: i, ...instance })));

/** What the weights file says of its network, so that it can be read without the run folder. */
export function runMetadata(network: Network, settings: NetworkSettings): Record<string, string> {
  const { inChannels, outChannels } = network;
  return {
    format: 'pt',
    producer: 'hybridmim',
    network: JSON.stringify({ ...settings, inChannels, outChannels }),
  };
}

function cropOptions({ seed, data, method, train }: PretrainSettings, { split, caseIds }: CaseChoice) {
  const { prepared, datasets, cropSize, workers, prefetch } = data;
  const recipe = voxelCorruption(method);
  const common = {
    preparedDir: prepared,
    split,
    ...(caseIds && { caseIds }),
    cropSize,
    batchSize: train.batchSize,
    seed,
    workers,
    prefetch,
    withLabels: false,
  };
  return {
    ...common,
    ...(datasets && { datasets }),
    ...(recipe && { corruption: { recipe, heldOut: split === 'validation' } }),
  };
}

/**
 * The same crops, with the same masks, for every validation or picture: their steps count down from -1, where
 * training never is.
 */
async function fixedInputs(
  settings: PretrainSettings,
  task: LearningTask,
  choice: CaseChoice,
  batches: number,
  crops: readonly CropOfWord[] | undefined,
): Promise<InputValues[]> {
  const loader = await openCropLoader({
    ...cropOptions(settings, choice),
    workers: 1,
    prefetch: 1,
    ...(crops && { crops }),
  });
  try {
    const inputs: InputValues[] = [];
    for (let i = 0; i < batches; i++) {
      inputs.push(task.inputsOf(await loader.batch(i), -1 - i));
      if (i === 0) requireRoomFor(batches, itemAt(inputs, 0));
    }
    return inputs;
  } finally {
    await loader.close();
  }
}

/** Refuses held-out batches that memory cannot hold: all are kept, so that every validation is of the same. */
function requireRoomFor(batches: number, first: InputValues): void {
  const needed = batches * Object.values(first).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const free = freeMemory();
  if (needed <= free) return;
  throw new UsageError(
    `train.validationBatches is ${batches}, which takes ${byteSize(needed)} of memory, but ${byteSize(free)} is free: ` +
      'ask for fewer',
    { field: 'train.validationBatches', found: batches },
  );
}

/**
 * For z-scored (MR) cases, the map of the input's values to what the network reconstructs; undefined where
 * the input itself is the target.
 */
async function scaledTargets(
  prepared: string,
  cases: readonly PreparedCase[],
): Promise<((crops: CropBatch) => InputValues) | undefined> {
  if (cases.every((prepared) => unitScales(prepared) === undefined)) return undefined;
  const { cases: all } = await readPreparedIndex(prepared);
  const byId = new Map(all.map((prepared) => [prepared.id, prepared]));
  return ({ provenance }) => {
    const scales = provenance.flatMap(({ caseId }) => {
      const prepared = entryOf(byId, caseId);
      return unitScales(prepared) ?? prepared.intensity.map(() => ({ scale: 1, shift: 0 }));
    });
    return {
      targetScale: Float32Array.from(scales, ({ scale }) => scale),
      targetShift: Float32Array.from(scales, ({ shift }) => shift),
    };
  };
}
