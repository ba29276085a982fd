import { z } from 'zod';

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
export const cellFile = z.object({
  paperTable: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]).optional(),
  result: z
    .object({
      arm: z.string().optional(),
      title: z.string().optional(),
      seed: z.number().optional(),
      fraction: z.number().optional(),
    })
    .optional(),
});

const published = z.object({ value: z.number(), stated: z.boolean() }).nullable();

/** `results.json` of an experiment, as far as a report draws it: the paper's figure that it is. */
export const experimentFile = z.object({
  schema: z.literal(1),
  name: z.string(),
  figure: z.object({
    number: z.union([z.literal(4), z.literal(5), z.literal(6)]),
    caption: z.string(),
    points: z.array(
      z.object({
        row: z.string(),
        share: z.number(),
        dice: z.number().nullable(),
        seconds: z.number().nullable(),
        published: z.object({ dice: published, seconds: published }),
      }),
    ),
    notes: z.array(z.string()),
  }),
});
