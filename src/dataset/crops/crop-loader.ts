import { availableParallelism, freemem } from 'node:os';
import { resolve } from 'node:path';
import { itemAt } from '../../at.js';
import { DataError, UsageError } from '../../errors.js';
import { freeMemory } from '../../free-memory.js';
import { openWorkerPool, type WorkerPool } from '../../threads/index.js';
import type { Triple } from '../../volume/index.js';
import { type PreparedCase, readPreparedIndex } from '../index/prepared-index.js';
import { type CaseSelection, selectCases } from '../index/select-cases.js';
import type { AugmentationProbabilities } from './augmentation.js';
import type { LabelledCrop } from './crop-plan.js';
import type { BatchOutcome } from './crop-worker.js';
import type { Batch, BatchCase, BatchOptions, CropCorruption } from './make-batch.js';
import { unitScales } from './unit-intensity.js';
import {
  bytesOfCase,
  mostWorkers,
  threadBytes,
  type WorkerChoice,
  type Workers,
  workerChooser,
  workersAtFirst,
} from './worker-count.js';

/** A given crop: first voxel [x, y, z] in the prepared scan of a case. */
export interface CropOfWord {
  readonly word: number;
  readonly caseId: string;
  readonly start: Triple;
}

/** Which crops a loader gives, and how it makes them. */
export interface CropLoaderOptions extends CaseSelection {
  readonly preparedDir: string;
  /** Voxels [x, y, z]. */
  readonly cropSize: Triple;
  readonly batchSize: number;
  readonly seed: number;
  /** Threads, at least 1. Batches do not depend on it. */
  readonly workers: Workers;
  /** How many processes of this machine load crops at once; default 1. `auto` takes no more than its part. */
  readonly processes?: number;
  /** How many batches are made ahead of the one asked for; at least as many as there are threads of `auto`. */
  readonly prefetch: number;
  readonly withLabels: boolean;
  /** The number of the batch that is asked for n-th, from 0, where not all are needed; absent: n itself. */
  readonly batchAsked?: (asked: number) => number;
  /** Share of crops centred on a labelled voxel; default 0. */
  readonly foregroundRatio?: number;
  /** Probabilities; absent: none. `paperAugmentation` has the paper's. */
  readonly augmentation?: AugmentationProbabilities;
  /** Crops to show instead of drawn ones, each with the class that it stands for; absent: drawn. */
  readonly crops?: readonly CropOfWord[];
  /** A pretext method's corruption, in place of labels and augmentation; absent: none. */
  readonly corruption?: CropCorruption;
}

/** The batch of a step. */
export interface CropBatch extends Batch {
  /** How long `batch` waited for it. */
  readonly waitSeconds: number;
}

/** Crops of the cases of a prepared folder, a batch a step. */
export interface CropLoader {
  /** The cases the crops come from, in the order of the prepared index. */
  readonly cases: readonly PreparedCase[];
  readonly channels: number;
  /**
   * The batch of a step, from 0: the same for the same seed and
   * step whatever was asked before. Starts the ones after it.
   */
  batch(step: number): Promise<CropBatch>;
  /** Says what the threads of `auto` came to, and why, whenever that changes from here on; absent: there are none. */
  watchWorkers?(onWorkers: (choice: WorkerChoice) => void): void;
  close(): Promise<void>;
}

/**
 * Opens the crops of a prepared folder. Threads read the chunks that crops touch and nothing else.
 * @throws DataError when there is no such folder, split or label, or the cases differ in channels;
 *   UsageError for a crop that does not fit in memory or a setting out of range
 */
export async function openCropLoader(options: CropLoaderOptions): Promise<CropLoader> {
  checkRanges(options);
  const cases = selectCases(await readPreparedIndex(options.preparedDir), options, options.preparedDir);
  const channels = commonChannels(cases);
  if (options.withLabels) requireLabels(cases);
  requireMemory(options, channels);
  const { cropSize, batchSize, seed, withLabels, augmentation, corruption } = options;
  const workerData: BatchOptions = {
    preparedDir: resolve(options.preparedDir),
    cases: cases.map(workerCase),
    channels,
    cropSize,
    batchSize,
    seed,
    withLabels,
    foregroundRatio: options.foregroundRatio ?? 0,
    ...(augmentation && { augmentation }),
    ...(corruption && { corruption }),
    ...(options.crops && { crops: indexedCrops(options.crops, cases) }),
  };
  const { workers } = options;
  const limit = workers === 'auto' ? limitOfAuto(options, channels, cases.length) : undefined;
  const pool = openWorkerPool<number, BatchOutcome>(import.meta.url, './crop-worker.js', {
    minThreads: workersAtFirst(workers),
    maxThreads: limit?.most ?? workersAtFirst(workers),
    idleTimeout: idleMs,
    workerData,
  });
  const choose = limit && workerChooser(limit);
  return { cases, channels, ...prefetching(pool, options, choose) };
}

/** @throws DataError when a crop is of a case that the loader does not have */
function indexedCrops(crops: readonly CropOfWord[], cases: readonly PreparedCase[]): LabelledCrop[] {
  const indices = new Map(cases.map(({ id }, i) => [id, i]));
  return crops.map(({ word, caseId, start }) => {
    const caseIndex = indices.get(caseId);
    if (caseIndex === undefined)
      throw new DataError(`a crop is of case ${caseId}, which is not among those of the split`, {
        found: caseId,
      });
    return { word, caseIndex, start };
  });
}

function workerCase(prepared: PreparedCase): BatchCase {
  const { id, image, label, size, classVoxels, annotatedVoxels } = prepared;
  const scales = unitScales(prepared);
  return {
    id,
    image,
    ...(label !== undefined && { label }),
    size,
    classVoxels,
    ...(annotatedVoxels && { annotatedVoxels }),
    ...(scales && { unitScales: scales }),
  };
}

/** ms that a thread of `auto` waits for a batch to make before it ends: as long as a validation takes. */
const idleMs = 10 * 60 * 1000;

/** How many threads `auto` may come to. */
function limitOfAuto(options: CropLoaderOptions, channels: number, cases: number) {
  return mostWorkers({
    cores: availableParallelism(),
    processes: options.processes ?? 1,
    freeBytes: freeMemory(),
    bytesOfWorker:
      threadBytes +
      cases * bytesOfCase +
      (arraysOfThread(options) + options.batchSize) * cropBytes(options, channels),
  });
}

/**
 * Keeps the batches of `step` to `step + prefetch` on their way, and forgets the others.
 * @param choose says how many are made at once, from the times of a batch; absent: as many as there are threads
 */
function prefetching(
  pool: WorkerPool<number, BatchOutcome>,
  {
    workers,
    prefetch,
    batchAsked = (asked) => asked,
  }: Pick<CropLoaderOptions, 'workers' | 'prefetch' | 'batchAsked'>,
  choose: ReturnType<typeof workerChooser> | undefined,
): Pick<CropLoader, 'batch' | 'watchWorkers' | 'close'> {
  const onTheirWay = new Map<number, Promise<BatchOutcome>>();
  const lanes = inLanes(pool, workersAtFirst(workers));
  let onWorkers: ((choice: WorkerChoice) => void) | undefined;
  let ahead = prefetch;
  let given = performance.now();
  const start = (step: number): Promise<BatchOutcome> => {
    const known = onTheirWay.get(step);
    if (known) return known;
    const started = lanes.run(batchAsked(step));
    started.catch(() => {}); // whoever asks for this step gets the error; nobody may
    onTheirWay.set(step, started);
    return started;
  };
  return {
    batch: async (step) => {
      const asked = performance.now();
      for (const other of onTheirWay.keys())
        if (other < step || other > step + ahead) onTheirWay.delete(other);
      const wanted = start(step);
      for (let i = 1; i <= ahead; i++) start(step + i);
      const outcome = await wanted;
      onTheirWay.delete(step); // its arrays are the caller's now
      if ('damaged' in outcome)
        throw new DataError(outcome.damaged, outcome.file === undefined ? {} : { file: outcome.file });
      const choice = choose?.(outcome.makeSeconds, (asked - given) / 1000);
      if (choice) {
        lanes.widen(choice.workers);
        ahead = Math.max(prefetch, choice.workers);
        onWorkers?.(choice);
      }
      given = performance.now();
      return { ...outcome.batch, waitSeconds: (given - asked) / 1000 };
    },
    ...(choose && {
      watchWorkers: (watch: (choice: WorkerChoice) => void) => {
        onWorkers = watch;
      },
    }),
    close: async () => {
      lanes.giveUp();
      await pool.close();
    },
  };
}

/** Gives a pool so many tasks at a time, in their order, so that it has no more threads than these need. */
function inLanes(pool: WorkerPool<number, BatchOutcome>, first: number) {
  let [free, all] = [first, first];
  const waiting: { readonly begin: () => void; readonly giveUp: () => void }[] = [];
  const begin = () => {
    while (free > 0) {
      const next = waiting.shift();
      if (!next) return;
      free--;
      next.begin();
    }
  };
  return {
    run: (task: number): Promise<BatchOutcome> =>
      new Promise((resolve, reject) => {
        const run = async () => {
          try {
            resolve(await pool.run(task));
          } catch (error) {
            reject(error);
          }
          free++;
          begin();
        };
        waiting.push({ begin: () => void run(), giveUp: () => reject(new Error('the loader was closed')) });
        begin();
      }),
    widen: (lanes: number) => {
      free += lanes - all;
      all = lanes;
      begin();
    },
    giveUp: () => {
      for (const { giveUp } of waiting.splice(0)) giveUp();
    },
  };
}

function checkRanges({
  cropSize,
  batchSize,
  workers,
  prefetch,
  foregroundRatio = 0,
  augmentation,
}: CropLoaderOptions): void {
  const whole = {
    batchSize,
    workers: workersAtFirst(workers),
    'cropSize x': cropSize[0],
    'cropSize y': cropSize[1],
    'cropSize z': cropSize[2],
  };
  for (const [field, found] of Object.entries(whole)) {
    if (!Number.isInteger(found) || found < 1)
      throw new UsageError(`${field} is ${found}, but must be a whole number of at least 1`, {
        field,
        found,
      });
  }
  if (!Number.isInteger(prefetch) || prefetch < 0) {
    throw new UsageError(`prefetch is ${prefetch}, but must be a whole number of at least 0`, {
      field: 'prefetch',
      found: prefetch,
    });
  }
  const { flip, rotate, scaleIntensity, shiftIntensity } = augmentation ?? {
    flip: 0,
    rotate: 0,
    scaleIntensity: 0,
    shiftIntensity: 0,
  };
  for (const [field, found] of Object.entries({
    foregroundRatio,
    flip,
    rotate,
    scaleIntensity,
    shiftIntensity,
  })) {
    if (!(found >= 0 && found <= 1))
      throw new UsageError(`${field} is ${found}, but must be between 0 and 1`, {
        field,
        found,
        expected: [0, 1],
      });
  }
}

function commonChannels(cases: readonly PreparedCase[]): number {
  const { channels, id } = itemAt(cases, 0);
  const other = cases.find((prepared) => prepared.channels !== channels);
  if (!other) return channels;
  throw new DataError(
    `case ${other.id} has ${other.channels} channels, but ${id} has ${channels}: crops of one loader must have the same channels`,
    {
      file: other.image,
      field: 'channels',
      found: other.channels,
      expected: channels,
    },
  );
}

function requireLabels(cases: readonly PreparedCase[]): void {
  const without = cases.find(({ label }) => label === undefined);
  if (without)
    throw new DataError(
      `case ${without.id} has no label, but labels are needed: leave it out or give its label in the dataset index`,
      {
        field: 'label',
      },
    );
}

/** Bytes of a crop in a batch. */
const cropBytes = ({ cropSize, withLabels, corruption }: CropLoaderOptions, channels: number): number =>
  cropSize[0] * cropSize[1] * cropSize[2] * 4 * (channels * (corruption ? 2 : 1) + (withLabels ? 1 : 0));

/** Crops of a batch that a thread works in: one that is read, or four while it is corrupted, of which a batch has two. */
const arraysOfThread = ({ corruption }: CropLoaderOptions): number => (corruption ? 2 : 1);

/** Each batch on its way holds its arrays, and each thread what it works in. */
function requireMemory(options: CropLoaderOptions, channels: number): void {
  const { cropSize, batchSize, workers, prefetch } = options;
  const threads = workersAtFirst(workers);
  const needed =
    cropBytes(options, channels) * (batchSize * (prefetch + 1) + arraysOfThread(options) * threads);
  const free = freemem();
  if (needed <= free) return;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `crops of ${cropSize.join('x')} voxels, ${batchSize} a batch and ${prefetch} batches ahead, ` +
      `need ${gib(needed)} of memory, but ${gib(free)} is free: ` +
      'make cropSize, batchSize or prefetch smaller',
    { field: 'cropSize', found: needed, expected: free },
  );
}
