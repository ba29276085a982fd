import { z } from 'zod';
import { seedSchema } from '../training/index.js';

/** Part of a `pretrain` or `finetune` section, laid over the experiment's own. */
const part = z.record(z.string(), z.unknown());
const modeName = z.enum(['generic', 'task-specific']);

/** One row of the table: how its weights start, and what differs from the experiment's sections. */
const arm = z.strictObject({
  name: z.string().min(1).describe('Of the arm, in results and folders.'),
  row: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Name of its row in the paper's table, which arms on several tasks can share; absent: its name.",
    ),
  pretrained: z
    .boolean()
    .optional()
    .describe("true: pre-trained by the experiment's `pretrain` section as it stands."),
  method: z.string().optional().describe('A key of `methods`: pre-trained by it.'),
  network: z.string().optional().describe('A key of `networks`.'),
  mode: modeName.optional().describe('As `data.mode` of its pre-training.'),
  pretrain: part.optional().describe('Laid over `pretrain`, for this arm.'),
  finetune: part.optional().describe('Laid over `finetune`, for this arm.'),
});
export type ExperimentArm = z.infer<typeof arm>;

/** Every method with every network in every mode; a method named `none` is the network from scratch, once. */
const matrix = z.strictObject({
  methods: z.array(z.string()).min(1).describe('Keys of `methods`, or `none`.'),
  networks: z.array(z.string()).min(1).describe('Keys of `networks`.'),
  modes: z.array(modeName).min(1).default(['generic']).describe('Values of `data.mode`.'),
});

/**
 * An experiment: one set of data, arms (listed, as a matrix, or both), seeds and shares of the labels; every
 * combination is a run.
 */
export const experimentConfig = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9-]+$/)
      .describe('Lower-case letters, digits and hyphens.'),
    paperTable: z
      .union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)])
      .optional()
      .describe('The table of the paper that the results stand in.'),
    paperFigure: z
      .union([z.literal(4), z.literal(5), z.literal(6)])
      .optional()
      .describe('The figure of the paper that the results are drawn as, beside what its text publishes.'),
    datasets: z
      .union([z.string().min(1), part])
      .describe(
        'The dataset index itself, as `datasets.example.json` documents it, or the path of its file.',
      ),
    phantoms: z
      .strictObject({ count: z.int().min(1).describe('How many.'), seed: seedSchema })
      .optional()
      .describe(
        'Writes so many CT phantoms into the folder `phantoms` beside the prepared set, for `datasets` to name.',
      ),
    trainingCases: z
      .record(z.string(), z.int().min(1))
      .default({})
      .describe('Cases of each dataset that are learnt from, for estimates before anything is prepared.'),
    channels: z
      .record(z.string(), z.int().min(1))
      .default({})
      .describe('Of the scans of each dataset, for the same; absent: 1.'),
    seeds: z.array(seedSchema).min(1).describe('Each repeats every arm.'),
    fractions: z
      .array(z.number().gt(0).max(1))
      .min(1)
      .default([1])
      .describe('Shares of the training cases that fine-tuning uses.'),
    networks: z
      .record(z.string(), part)
      .default({})
      .describe('Parts of the `network` section by the name that arms and the matrix use.'),
    methods: z
      .record(z.string(), part)
      .default({})
      .describe('Parts of the `pretrain` section by the name that arms and the matrix use.'),
    arms: z.array(arm).default([]),
    mode: modeName.optional().describe('Of the arms that are pre-trained and say none; absent: generic.'),
    picture: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('The rows that are columns of the picture, in this order; absent: every arm.'),
    matrix: matrix.optional(),
    pretrain: part.describe(
      "As `pretrain`'s and `finetune`'s, without `seed` and `data.prepared`, which the experiment gives. Without `finetune` it ends after pre-training.",
    ),
    finetune: part
      .nullable()
      .default(null)
      .describe('As the configuration of `finetune`; absent: it ends after pre-training.'),
    compare: z
      .array(z.tuple([z.string(), z.string()]))
      .min(1)
      .optional()
      .describe(
        "Pairs of arms to compare, `[arm, against]`, at each share of the labels; absent: every pair. The fewer, the less Holm's correction takes away.",
      ),
    evaluate: z
      .enum(['validation', 'test'])
      .default('test')
      .describe('The split that is evaluated and compared.'),
    checkpoint: z
      .enum(['last', 'best'])
      .default('last')
      .describe(
        'Which weights of a fine-tuning are evaluated. `best` needs validations, on other cases than those that are evaluated: weights that the reported cases chose would be reported too good.',
      ),
    evaluateTraining: z
      .boolean()
      .default(true)
      .describe('Evaluate the training cases too, whose Dice tells learning from generalising.'),
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
