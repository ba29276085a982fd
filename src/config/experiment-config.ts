import { z } from 'zod';
import { seedSchema } from '../training/index.js';

/** Part of a `pretrain` or `finetune` section, laid over the experiment's own. */
const part = z.record(z.string(), z.unknown());
const modeName = z.enum(['generic', 'task-specific']);

/** One row of the table: how its weights start, and what differs from the experiment's sections. */
const arm = z.strictObject({
  name: z.string().min(1),
  /** Name of its row in the paper's table, which arms on several tasks can share; absent: its name. */
  row: z.string().min(1).optional(),
  /** true: pre-trained by the experiment's `pretrain` section as it stands. */
  pretrained: z.boolean().optional(),
  /** A key of `methods`: pre-trained by it. */
  method: z.string().optional(),
  /** A key of `networks`. */
  network: z.string().optional(),
  mode: modeName.optional(),
  pretrain: part.optional(),
  finetune: part.optional(),
});
export type ExperimentArm = z.infer<typeof arm>;

/** Every method with every network in every mode; a method named `none` is the network from scratch, once. */
const matrix = z.strictObject({
  methods: z.array(z.string()).min(1),
  networks: z.array(z.string()).min(1),
  modes: z.array(modeName).min(1).default(['generic']),
});

/**
 * An experiment: one set of data, arms (listed, as a matrix, or both), seeds and shares of the labels; every
 * combination is a run.
 */
export const experimentConfig = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]+$/),
    /** The table of the paper that the results stand in. */
    paperTable: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]).optional(),
    /** The figure of the paper that the results are drawn as, beside what its text publishes. */
    paperFigure: z.union([z.literal(4), z.literal(5), z.literal(6)]).optional(),
    /** The dataset index itself, as `datasets.example.json` documents it, or the path of its file. */
    datasets: z.union([z.string().min(1), part]),
    /**
     * Writes so many CT phantoms into the folder `phantoms` beside the prepared set, for `datasets` to name.
     */
    phantoms: z.strictObject({ count: z.int().min(1), seed: seedSchema }).optional(),
    /** Cases of each dataset that are learnt from, for estimates before anything is prepared. */
    trainingCases: z.record(z.string(), z.int().min(1)).default({}),
    /** Of the scans of each dataset, for the same; absent: 1. */
    channels: z.record(z.string(), z.int().min(1)).default({}),
    seeds: z.array(seedSchema).min(1),
    /** Shares of the training cases that fine-tuning uses. */
    fractions: z.array(z.number().gt(0).max(1)).min(1).default([1]),
    /** Parts of the `network` section by the name that arms and the matrix use. */
    networks: z.record(z.string(), part).default({}),
    /** Parts of the `pretrain` section by the name that arms and the matrix use. */
    methods: z.record(z.string(), part).default({}),
    arms: z.array(arm).default([]),
    /** Of the arms that are pre-trained and say none; absent: generic. */
    mode: modeName.optional(),
    /** The rows that are columns of the picture, in this order; absent: every arm. */
    picture: z.array(z.string().min(1)).min(1).optional(),
    matrix: matrix.optional(),
    /**
     * As `pretrain`'s and `finetune`'s, without `seed` and `data.prepared`, which the experiment gives.
     * Without `finetune` it ends after pre-training.
     */
    pretrain: part,
    finetune: part.nullable().default(null),
    /**
     * Pairs of arms to compare, `[arm, against]`, at each share of the labels; absent: every pair. The fewer,
     * the less Holm's correction takes away.
     */
    compare: z
      .array(z.tuple([z.string(), z.string()]))
      .min(1)
      .optional(),
    /** The split that is evaluated and compared. */
    evaluate: z.enum(['validation', 'test']).default('test'),
    /**
     * Which weights of a fine-tuning are evaluated. `best` needs validations, on other cases than those that
     * are evaluated: weights that the reported cases chose would be reported too good.
     */
    checkpoint: z.enum(['last', 'best']).default('last'),
    /** Evaluate the training cases too, whose Dice tells learning from generalising. */
    evaluateTraining: z.boolean().default(true),
  })
  .superRefine((config, context) => {
    const named = [
      ...config.arms.flatMap(({ method, network }) => [
        ['methods', method] as const,
        ['networks', network] as const,
      ]),
      ...(config.matrix?.methods
        .filter((name) => name !== 'none')
        .map((name) => ['methods', name] as const) ?? []),
      ...(config.matrix?.networks.map((name) => ['networks', name] as const) ?? []),
    ];
    for (const [section, name] of named) {
      if (name === undefined || Object.hasOwn(config[section], name)) continue;
      const known = Object.keys(config[section]).join(', ') || 'nothing';
      context.addIssue({
        code: 'custom',
        path: [section],
        message: `"${name}" is used, but ${section} has ${known}`,
      });
    }
    if (config.arms.length === 0 && !config.matrix)
      context.addIssue({
        code: 'custom',
        path: ['arms'],
        message: 'there is nothing to run: give arms or a matrix',
      });
  });
export type ExperimentConfig = z.infer<typeof experimentConfig>;
