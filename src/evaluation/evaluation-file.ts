import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { jsonOrUndefined } from '../json.js';
import type { Evaluation } from './summarise.js';

const number = z.number().nullable();
const meanAndStd = z.object({ mean: number, std: number, n: z.int() });
const means = z.object({ overClasses: number, overCases: number });

/** `evaluation.json`, as far as anything is read from it; every class must have its summary. */
const evaluationFile = z
  .object({
    schema: z.literal(1),
    task: z.string(),
    classes: z.array(z.string()).min(1),
    cases: z.array(
      z.object({
        id: z.string(),
        classes: z.record(
          z.string(),
          z.object({
            dice: number,
            hd95: number,
            status: z.enum(['ok', 'missed', 'false-positive', 'absent']),
          }),
        ),
      }),
    ),
    perClass: z.record(
      z.string(),
      z.object({
        dice: meanAndStd,
        hd95: meanAndStd,
        nUndefined: z.int(),
        nMissed: z.int(),
        nFalsePositiveOnEmpty: z.int(),
      }),
    ),
    mean: z.object({ dice: means, hd95: means }),
    weights: z.object({ checkpoint: z.enum(['best', 'last']), chosenOnTheseCases: z.boolean() }).optional(),
  })
  .refine(({ classes, perClass }) => classes.every((name) => Object.hasOwn(perClass, name)), {
    path: ['perClass'],
  });

/** Whether JSON is an evaluation. */
export const isEvaluation = (content: unknown): content is Evaluation =>
  evaluationFile.safeParse(content).success;

/** The first field that keeps JSON from being an evaluation; undefined where nothing does. */
export function wrongFieldOf(content: unknown): string | undefined {
  const { error } = evaluationFile.safeParse(content);
  return error && (firstIssue(error).field || 'JSON');
}

/**
 * The evaluation that a file holds.
 * @throws DataError when the file is none
 */
export async function readEvaluation(file: string): Promise<Evaluation> {
  const content = jsonOrUndefined(await readFile(file, 'utf8'));
  if (isEvaluation(content)) return content;
  const field = wrongFieldOf(content) ?? 'JSON';
  throw new DataError(`${file} is no evaluation: ${field} is wrong; delete it to have it made again`, {
    file,
    field,
  });
}
