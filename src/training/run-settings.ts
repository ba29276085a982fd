import { z } from 'zod';
import { deviceSection, precisions } from '../engine/index.js';
import { inferenceSection } from '../inference/index.js';
import { networkSection, sizeOfFile } from '../network/index.js';
import { methodSection } from '../pretext/index.js';
import type { Lifeline } from '../ranks/index.js';
import type { RunProgress } from './loop.js';

const share = z.number().min(0).max(1);

/** Where the crops come from. */
const dataShape = {
  prepared: z.string().min(1).describe('Folder that `prepare` wrote.'),
  datasets: z
    .array(z.string())
    .min(1)
    .readonly()
    .optional()
    .describe('Names of datasets in it; absent: all.'),
  cropSize: sizeOfFile.describe('Voxels [x, y, z].'),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(1024)])
    .default('auto')
    .describe(
      'Threads that make crops; batches do not depend on it. `auto`: as many as the steps need, from times that are measured, within cores and memory.',
    ),
  prefetch: z.int().min(0).max(1024).default(3).describe('Batches made ahead of the step.'),
};

const pretrainData = z.strictObject({
  ...dataShape,
  split: z
    .enum(['training', 'unlabelled', 'all'])
    .default('training')
    .describe(
      'The cases to learn from; no labels are read. `all` for a set that has no held-out cases; `unlabelled` for the training cases without a label, which no fold of a cross-validation holds out.',
    ),
  mode: z
    .enum(['generic', 'task-specific'])
    .default('generic')
    .describe(
      "`task-specific` (the paper's `*`): the training split of the task alone; any held-out case is refused.",
    ),
});

const finetuneData = z
  .strictObject({
    ...dataShape,
    foregroundRatio: share
      .default(0.5)
      .describe('Share of crops centred on a labelled voxel, its class drawn evenly.'),
    fraction: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe('Share of the training cases that is used, drawn by the seed.'),
    folds: z
      .int()
      .min(2)
      .optional()
      .describe(
        'Cross-validation: how many parts the training and validation cases are drawn into, and which of them, from 1, validates.',
      ),
    fold: z
      .int()
      .min(1)
      .optional()
      .describe('Cross-validation: the part that validates, from 1 to `data.folds`.'),
    regions: z
      .record(z.string(), z.array(z.int().min(1)).min(1).readonly())
      .optional()
      .describe(
        'Regions that may overlap, as lists of label values (BraTS); absent: those of the dataset, or its classes, of which each voxel has one.',
      ),
    validateOn: z
      .enum(['validation', 'training'])
      .default('validation')
      .describe(
        'Cases that choose the best checkpoint: held-out ones, or the training cases where there are no others.',
      ),
  })
  .refine(
    ({ fold, folds }) => (fold === undefined) === (folds === undefined) && (fold ?? 1) <= (folds ?? 1),
    {
      path: ['fold'],
      message: 'data.fold and data.folds belong together, and fold is from 1 to folds',
    },
  );

const trainShape = {
  batchSize: z
    .int()
    .min(1)
    .max(65_536)
    .describe('Crops of a batch; a step has one batch, or `replicas` of them.'),
  replicas: z
    .int()
    .min(1)
    .max(4096)
    .default(1)
    .describe(
      'Batches of a step, each with losses and dropout of its own, whose gradients are averaged: one after the other, or on as many ranks as divide it.',
    ),
  reduction: z
    .enum(['exact', 'fast'])
    .default('exact')
    .describe(
      'How ranks add their gradients: `exact`, in pairs, with 1, 2, 4, 8 ... ranks that give the same bits; `fast`, in a ring, with any number; as many ranks as replicas give the bits of one process on CPUs.',
    ),
  steps: z.int().min(1).optional().describe('Length of the run; counts before `epochs` when both are given.'),
  epochs: z.number().gt(0).optional().describe('One epoch shows every training case once.'),
  learningRate: z.number().gt(0).default(1e-4).describe('The highest rate of AdamW, after the warm-up.'),
  weightDecay: z.number().min(0).default(1e-5).describe('Weight decay of AdamW.'),
  decayNormsAndBiases: z
    .boolean()
    .default(true)
    .describe("PyTorch's AdamW decays every parameter; false leaves norms and biases out."),
  warmupSteps: z
    .int()
    .min(0)
    .optional()
    .describe('Linear warm-up, then cosine decay to 0; counts before `warmupEpochs` when both are given.'),
  warmupEpochs: z.number().min(0).optional().describe('The warm-up in epochs.'),
  clipNorm: z
    .number()
    .gt(0)
    .nullable()
    .default(null)
    .describe('Largest norm of all gradients together; null: not clipped.'),
  notFiniteSteps: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe(
      'How many steps in a row may have a loss or gradient that is no finite number: they are passed over and named, ' +
        'the weights stay. 0: the run stops at the first.',
    ),
  checkpointEvery: z
    .int()
    .min(1)
    .default(500)
    .describe('Steps between two checkpoints: what a run that is killed may lose.'),
  validateEvery: z.int().min(0).default(1000).describe('Steps between two validations; 0: never.'),
  threads: z
    .int()
    .min(0)
    .max(255)
    .default(0)
    .describe('Threads of one op; 0: one a core. Same number, same bits.'),
  engine: z
    .enum(['graph', 'eager'])
    .default('graph')
    .describe('`graph` compiles the step; `eager` runs it op by op, for debugging.'),
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
    validationBatches: z.int().min(1).max(10_000).default(8).describe('Held-out batches of one validation.'),
  })
  .refine(lengthGiven, needsLength);

const finetuneTrain = z
  .strictObject({
    ...trainShape,
    encoderRate: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe(
        "The encoder's learning rate, as a share of `learningRate`; 0: it stays as it was taken over.",
      ),
    augmentation: z
      .strictObject({
        flip: share.default(0.2).describe('Probability of a flip, of each axis by itself.'),
        rotate: share
          .default(0.2)
          .describe('Probability of a turn by 90, 180 or 270 degrees in the axial plane.'),
        scaleIntensity: share
          .default(0.1)
          .describe('Probability that intensities are multiplied by a factor from 0.9 to 1.1.'),
        shiftIntensity: share
          .default(0.1)
          .describe('Probability that a number from -0.1 to 0.1 is added to intensities.'),
      })
      .prefault({})
      .describe("Probabilities of the paper's augmentations."),
  })
  .refine(lengthGiven, needsLength);

const precision = z
  .enum(precisions)
  .default('float32')
  .describe('Of products and activations; `bfloat16` takes less memory.');

/** Of everything that a run draws. */
export const seedSchema = z.int().min(0).default(0).describe('Of everything that is drawn.');

/** All that a pre-training run is set by. */
export const pretrainSettings = z.strictObject({
  seed: seedSchema,
  precision,
  device: deviceSection.prefault({}),
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
  device: deviceSection.prefault({}),
  data: finetuneData,
  network: networkSection.prefault({}),
  transfer: z
    .enum(['all', 'encoder'])
    .default('all')
    .describe('What is taken from pre-trained weights: encoder and decoder, or the encoder alone.'),
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
  /** What holds the ranks together that share the replicas of a step; absent: this process computes all. */
  readonly lifeline?: Lifeline | undefined;
}
