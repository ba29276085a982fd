import { z } from 'zod';
import type { Evaluation } from '../evaluation/index.js';

const number = z.number().nullable();
const spread = z.object({ mean: number, std: number, n: z.int() });
const means = z.object({ overClasses: number, overCases: number });

/** `evaluation.json`, as far as a report shows it; every class must have its summary. */
export const evaluationFile = z
  .object({
    schema: z.literal(1),
    task: z.string(),
    classes: z.array(z.string()).min(1),
    cases: z.array(
      z.object({
        id: z.string(),
        classes: z.record(z.string(), z.object({ dice: number, hd95: number, status: z.enum(['ok', 'missed', 'false-positive', 'absent']) })),
      }),
    ),
    perClass: z.record(z.string(), z.object({ dice: spread, hd95: spread, nUndefined: z.int(), nMissed: z.int(), nFalsePositiveOnEmpty: z.int() })),
    mean: z.object({ dice: means, hd95: means }),
  })
  .refine(({ classes, perClass }) => classes.every((name) => Object.hasOwn(perClass, name)), { path: ['perClass'] });

/**
 * Whether a value that was read from a file has the form of an evaluation, as `hybridmim evaluate` writes it.
 */
export const isEvaluation = (value: unknown): value is Evaluation => evaluationFile.safeParse(value).success;

/** What `benchmark-speed --json` writes, as far as a report shows it. */
export const speedFile = z.object({
  schema: z.literal(1),
  results: z.array(
    z.object({
      network: z.string(),
      method: z.string(),
      precision: z.string(),
      region: z.union([z.string(), z.number(), z.array(z.number())]),
      stepMs: z.object({ median: z.number(), min: z.number(), max: z.number() }),
    }),
  ),
});

/** `cell.json` of an experiment, as far as a report needs it. */
export const cellFile = z.object({ paperTable: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]).optional() });
