import { z } from 'zod';
import { precisions } from '../engine/index.js';
import { inferenceSection } from '../inference/index.js';
import { networkSection, sizeOfFile } from '../network/index.js';
import { methodSection } from '../pretext/index.js';
import type { RunProgress } from './loop.js';

const share = z.number().min(0).max(1);

/** Where the crops come from. */
const dataShape = {
  /** Folder that `prepare` wrote. */
  prepared: z.string().min(1),
  /** Names of datasets in it; absent: all. */
  datasets: z.array(z.string()).min(1).readonly().optional(),
  /** Voxels [x, y, z]. */
  cropSize: sizeOfFile,
  /** Threads that make crops; batches do not depend on it. */
  workers: z.int().min(1).max(1024).default(1),
  /** Batches made ahead of the step. */
  prefetch: z.int().min(0).max(1024).default(3),
};

const pretrainData = z.strictObject({
  ...dataShape,
  /**
   * The cases to learn from; no labels are read. `all` for a set that has no held-out cases; `unlabelled` for
   * the training cases without a label, which no fold of a cross-validation holds out.
   */
  split: z.enum(['training', 'unlabelled', 'all']).default('training'),
  /**
   * `task-specific` (the paper's `*`): the training split of the task alone; any held-out case is refused.
   */
  mode: z.enum(['generic', 'task-specific']).default('generic'),
});

const finetuneData = z
  .strictObject({
    ...dataShape,
    /** Share of crops centred on a labelled voxel, its class drawn evenly. */
    foregroundRatio: share.default(0.5),
    /** Share of the training cases that is used, drawn by the seed. */
    fraction: z.number().gt(0).max(1).default(1),
    /**
     * Cross-validation: how many parts the training and validation cases are drawn into, and which of them,
     * from 1, validates.
     */
    folds: z.int().min(2).optional(),
    fold: z.int().min(1).optional(),
    /**
     * Regions that may overlap, as lists of label values (BraTS); absent: those of the dataset, or its
     * classes, of which each voxel has one.
     */
    regions: z.record(z.string(), z.array(z.int().min(1)).min(1).readonly()).optional(),
    /**
     * Cases that choose the best checkpoint: held-out ones, or the training cases where there are no others.
     */
    validateOn: z.enum(['validation', 'training']).default('validation'),
  })
  .refine(
    ({ fold, folds }) => (fold === undefined) === (folds === undefined) && (fold ?? 1) <= (folds ?? 1),
    {
      path: ['fold'],
      message: 'data.fold and data.folds belong together, and fold is from 1 to folds',
    },
  );

const trainShape = {
  batchSize: z.int().min(1).max(65_536),
  /** Length of the run; counts before `epochs` when both are given. */
  steps: z.int().min(1).optional(),
  /** One epoch shows every training case once. */
  epochs: z.number().gt(0).optional(),
  learningRate: z.number().gt(0).default(1e-4),
  weightDecay: z.number().min(0).default(1e-5),
  /** PyTorch's AdamW decays every parameter; false leaves norms and biases out. */
  decayNormsAndBiases: z.boolean().default(true),
  /** Linear warm-up, then cosine decay to 0; counts before `warmupEpochs` when both are given. */
  warmupSteps: z.int().min(0).optional(),
  warmupEpochs: z.number().min(0).optional(),
  /** Largest norm of all gradients together; null: not clipped. */
  clipNorm: z.number().gt(0).nullable().default(null),
  /**
   * How many steps in a row may have a loss or gradient that is no finite number: they are passed over and named, the
   * weights stay. 0: the run stops at the first.
   */
  notFiniteSteps: z.int().min(0).max(1000).default(0),
  checkpointEvery: z.int().min(1).default(500),
  /** 0: never. */
  validateEvery: z.int().min(0).default(1000),
  /** Threads of one op; 0: one a core. Same number, same bits. */
  threads: z.int().min(0).max(255).default(0),
  /** `graph` compiles the step; `eager` runs it op by op, for debugging. */
  engine: z.enum(['graph', 'eager']).default('graph'),
};

const lengthGiven = ({ steps, epochs }: { steps?: number | undefined; epochs?: number | undefined }) =>
  steps !== undefined || epochs !== undefined;
const needsLength = {
  path: ['steps'],
  message: 'the length of the run is missing: give train.steps or train.epochs',
};

const pretrainTrain = z
  .strictObject({
    ...trainShape,
    /** Held-out batches of one validation. */
    validationBatches: z.int().min(1).max(10_000).default(8),
  })
  .refine(lengthGiven, needsLength);

const finetuneTrain = z
  .strictObject({
    ...trainShape,
    /** Probabilities of the paper's augmentations. */
    augmentation: z
      .strictObject({
        flip: share.default(0.2),
        rotate: share.default(0.2),
        scaleIntensity: share.default(0.1),
        shiftIntensity: share.default(0.1),
      })
      .prefault({}),
  })
  .refine(lengthGiven, needsLength);

const precision = z.enum(precisions).default('float32');

/** Of everything that a run draws. */
export const seedSchema = z.int().min(0).default(0);

/** All that a pre-training run is set by. */
export const pretrainSettings = z.strictObject({
  seed: seedSchema,
  precision,
  data: pretrainData,
  network: networkSection.prefault({}),
  method: methodSection,
  train: pretrainTrain,
});
export type PretrainSettings = z.output<typeof pretrainSettings>;

/** All that a fine-tuning run is set by. */
export const finetuneSettings = z.strictObject({
  seed: seedSchema,
  precision,
  data: finetuneData,
  network: networkSection.prefault({}),
  /** What is taken from pre-trained weights: encoder and decoder, or the encoder alone. */
  transfer: z.enum(['all', 'encoder']).default('all'),
  train: finetuneTrain,
  inference: inferenceSection.prefault({}),
});
export type FinetuneSettings = z.output<typeof finetuneSettings>;

/** What every training run is set by. */
export type TrainSettings = Omit<PretrainSettings['train'], 'validationBatches'>;

/** A training run: its settings, its folder, and who watches it. */
export interface RunOptions<S> {
  readonly settings: S;
  /** The run folder. */
  readonly out: string;
  /**
   * Goes on from the last checkpoint of the folder; otherwise a folder that holds a run is refused. Default
   * false.
   */
  readonly resume?: boolean;
  /**
   * Whether a run that goes on may have another rate, length and the like from here on; otherwise its settings
   * must be those of before. Default false.
   */
  readonly mayChange?: boolean;
  /** What the run shows; absent: nothing. */
  readonly progress?: RunProgress;
  /** The most that the run may hold in memory; absent: what is free. */
  readonly memoryBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
