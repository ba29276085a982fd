import { z } from 'zod';

const voxels = z.int().min(1);
const share = z.number().min(0).max(1);
const weight = z.number().min(0);

/** Where the crops come from. */
const dataShape = {
  /** Folder that `prepare` wrote. */
  prepared: z.string().min(1),
  /** Names of datasets in it; absent: all. */
  datasets: z.array(z.string()).min(1).optional(),
  /** Voxels [x, y, z]. */
  cropSize: z.tuple([voxels, voxels, voxels]),
  /** Threads that make crops; batches do not depend on it. */
  workers: z.int().min(1).default(1),
  /** Batches made ahead of the step. */
  prefetch: z.int().min(0).default(3),
};

export const pretrainData = z.strictObject({
  ...dataShape,
  /** The cases to learn from; no labels are read. `all` for a set that has no held-out cases. */
  split: z.enum(['training', 'all']).default('training'),
  /** `task-specific` (the paper's `*`): the training split of the task alone; any held-out case is refused. */
  mode: z.enum(['generic', 'task-specific']).default('generic'),
});

export const finetuneData = z
  .strictObject({
    ...dataShape,
    /** Share of crops centred on a labelled voxel, its class drawn evenly. */
    foregroundRatio: share.default(0.5),
    /** Share of the training cases that is used, drawn by the seed. */
    fraction: z.number().gt(0).max(1).default(1),
    /** Cross-validation: how many parts the training and validation cases are drawn into, and which of them, from 1, validates. */
    folds: z.int().min(2).optional(),
    fold: z.int().min(1).optional(),
    /** Regions that may overlap, as lists of label values (BraTS); absent: the dataset's classes, of which each voxel has one. */
    regions: z.record(z.string(), z.array(z.int().min(1)).min(1)).optional(),
    /** Cases that choose the best checkpoint: held-out ones, or the training cases where there are no others. */
    validateOn: z.enum(['validation', 'training']).default('validation'),
  })
  .refine(({ fold, folds }) => (fold === undefined) === (folds === undefined) && (fold ?? 1) <= (folds ?? 1), {
    path: ['fold'],
    message: 'data.fold and data.folds belong together, and fold is from 1 to folds',
  });

const dropoutRate = z.number().min(0).lt(1);
const ofStages = z.tuple([voxels, voxels, voxels, voxels]);

/** The network by its name, `unet` unless said otherwise, and the settings of that one. */
export const networkSection = z.preprocess(
  (section) => (typeof section === 'object' && section !== null && !('name' in section) ? { name: 'unet', ...section } : section),
  z.discriminatedUnion('name', [
    z.strictObject({
      name: z.literal('unet'),
      /** Channels of the five encoder levels and of the last decoder level. */
      features: z.tuple([voxels, voxels, voxels, voxels, voxels, voxels]).default([64, 64, 128, 256, 512, 64]),
      dropout: dropoutRate.default(0.1),
    }),
    z.strictObject({
      name: z.literal('seg-res-net'),
      /** Channels of the first level; each further level has twice as many. */
      initFilters: voxels.default(8),
      /** Residual blocks of each level of the encoder, and of the decoder. */
      blocksDown: z.array(voxels).min(2).default([1, 2, 2, 4]),
      blocksUp: z.array(voxels).min(1).default([1, 1, 1]),
      normGroups: voxels.default(8),
      /** After the first convolution. */
      dropout: dropoutRate.default(0),
    }),
    z.strictObject({
      name: z.literal('unetr'),
      /** Voxels [x, y, z] of the crop, the only size that it takes. */
      imageSize: z.tuple([voxels, voxels, voxels]).default([96, 96, 96]),
      featureSize: voxels.default(16),
      hiddenSize: voxels.default(768),
      mlpDim: voxels.default(3072),
      numHeads: voxels.default(12),
      dropout: dropoutRate.default(0),
    }),
    z.strictObject({
      name: z.literal('swin-unetr'),
      featureSize: voxels.default(48),
      /** Transformer blocks and attention heads of each stage. */
      depths: ofStages.default([2, 2, 2, 2]),
      numHeads: ofStages.default([3, 6, 12, 24]),
      /** Tokens of an attention window along [x, y, z]. */
      window: z.tuple([voxels, voxels, voxels]).default([7, 7, 7]),
      /** 2: MONAI's `use_v2`, residual convolutions at the head of each stage. */
      version: z.union([z.literal(1), z.literal(2)]).default(1),
      /** Order in which eight tokens are merged: MONAI's `downsample`, or that of its releases before 1.5. */
      merging: z.enum(['merging', 'merging-before-1.5', 'mergingv2']).default('merging'),
      dropout: dropoutRate.default(0),
    }),
  ]),
);

const hybridMim = z.strictObject({
  name: z.literal('hybridmim').optional().default('hybridmim'),
  subVolume: voxels.default(32),
  patch: voxels.default(16),
  /** Side of the target region in voxels; the crop's own side: not partial. */
  region: voxels,
  maskRatio: z.number().gt(0).lt(1).default(0.4),
  weights: z
    .strictObject({
      reconstruction: weight.default(1),
      number: weight.default(0.1),
      location: weight.default(0.1),
      consistency: weight.default(0.01),
      contrast: weight.default(0.1),
    })
    .prefault({}),
  reconstruction: z.enum(['l2', 'l1']).default('l2'),
  consistency: z.enum(['soft', 'hard']).default('soft'),
  temperature: z.number().gt(0).default(0.5),
  contrastDim: voxels.default(384),
});

/** Probabilities of the corruptions of Models Genesis, as its paper and code have them. */
const modelsGenesis = z.strictObject({
  name: z.literal('models-genesis'),
  /** Of a flip, and of another one after it, up to three. */
  flip: share.default(0.4),
  /** Of local pixel shuffling. */
  shuffle: share.default(0.5),
  /** Of a non-linear intensity transformation. */
  nonlinear: share.default(0.9),
  /** Of in- or out-painting. */
  paint: share.default(0.9),
  /** Of in-painting, where there is painting. */
  inPaint: share.default(0.2),
});

const simMim = z.strictObject({
  name: z.literal('simmim'),
  patch: voxels.default(16),
  /** SimMIM's own; the side of its patches in two dimensions is 32 pixels. */
  maskRatio: z.number().gt(0).lt(1).default(0.6),
});

const transVw = z.strictObject({
  name: z.literal('transvw'),
  /** Visual words, the classes, and crops of each at most: as the released code has them. */
  words: z.int().min(2).default(44),
  instances: z.int().min(1).default(200),
  /** Of the word's cross-entropy beside the restoration. */
  wordWeight: weight.default(0.01),
  /** Of the auto-encoder that finds patients alike, on whole scans shrunk to cubes. */
  autoEncoder: z
    .strictObject({
      side: voxels.default(64),
      steps: z.int().min(1).default(5000),
      batchSize: z.int().min(1).default(4),
      learningRate: z.number().gt(0).default(1e-4),
    })
    .prefault({}),
});

const unetFormer = z.strictObject({
  name: z.literal('unetformer'),
  /** Side of a masked token and share of them: our reading, since its code was not released. */
  patch: voxels.default(16),
  maskRatio: z.number().gt(0).lt(1).default(0.4),
});

const mae = z.strictObject({
  name: z.literal('mae'),
  /** Share of the tokens that the encoder does not get, and the decoder that predicts them: MAE's own. */
  maskRatio: z.number().gt(0).lt(1).default(0.75),
  decoder: z.strictObject({ width: voxels.default(512), depth: z.int().min(1).max(64).default(8), heads: voxels.default(16) }).prefault({}),
});

/** A pre-training method and its settings; without a name: HybridMIM. */
export const methodSection = z.discriminatedUnion('name', [hybridMim, modelsGenesis, simMim, transVw, unetFormer, mae]);

const trainShape = {
  batchSize: z.int().min(1),
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
  checkpointEvery: z.int().min(1).default(500),
  /** 0: never. */
  validateEvery: z.int().min(0).default(1000),
  /** Threads of one op; 0: one a core. Same number, same bits. */
  threads: z.int().min(0).max(255).default(0),
  /** `graph` compiles the step; `eager` runs it op by op, for debugging. */
  engine: z.enum(['graph', 'eager']).default('graph'),
};

const lengthGiven = ({ steps, epochs }: { steps?: number | undefined; epochs?: number | undefined }) => steps !== undefined || epochs !== undefined;
const needsLength = { path: ['steps'], message: 'the length of the run is missing: give train.steps or train.epochs' };

export const pretrainTrain = z
  .strictObject({
    ...trainShape,
    /** Held-out batches of one validation. */
    validationBatches: z.int().min(1).default(8),
  })
  .refine(lengthGiven, needsLength);

export const finetuneTrain = z
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

export const inferenceSection = z.strictObject({
  /** Voxels [x, y, z]; absent: the crop's size. */
  window: z.tuple([voxels, voxels, voxels]).optional(),
  /** Share of a window that the next one covers again. */
  overlap: z.number().min(0).lt(1).default(0.5),
  /** How windows are weighed where they overlap: by a Gaussian around each one's centre, or all alike. */
  blend: z.enum(['gaussian', 'constant']).default('gaussian'),
  /** Windows that go through the network at once. On CPU one alone is as fast and takes least memory. */
  windowBatch: z.int().min(1).default(1),
  /** Axes of the prepared scan (x: left to right) along which windows are mirrored as well, in all combinations, and their logits averaged. */
  mirror: z
    .array(z.enum(['x', 'y', 'z']))
    .refine((axes) => new Set(axes).size === axes.length, 'an axis of inference.mirror is named twice')
    .default([]),
});

export const precisionValue = z.enum(['float32', 'bfloat16']).default('float32');
export const seedValue = z.int().min(0).default(0);
