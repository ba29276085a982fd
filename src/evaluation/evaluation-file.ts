import { z } from 'zod';
import { DataError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { jsonOrUndefined } from '../json.js';
import { readRecordText } from '../text-file.js';
import type { Evaluation } from './summarise.js';

const number = z.number().nullable();
const meanAndStd = z.object({ mean: number, std: number, n: z.int() });
const means = z.object({ overClasses: number, overCases: number });
const count = z.int().min(0);
const labelValues = z.array(z.int().min(0)).min(1);
const names = z.array(z.string());
const leftOut = z.array(z.object({ id: z.string(), reason: z.string() }));
/** Keys that are the metrics beside Dice and HD95, whose names are open. */
const further = <S extends z.ZodRawShape>(shape: S, value: z.ZodType) => z.object(shape).catchall(value);

/**
 * `evaluation.json`, as far as anything is read from it; every class must have its summary, its values and its
 * result in every case.
 */
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
          further(
            {
              dice: number,
              hd95: number,
              status: z.enum(['ok', 'missed', 'false-positive', 'absent']),
              voxels: z.object({ predicted: count, present: count, both: count, all: count }).optional(),
            },
            number,
          ),
        ),
        files: z.object({ prediction: z.string(), reference: z.string() }).optional(),
      }),
    ),
    perClass: z.record(
      z.string(),
      further(
        {
          dice: meanAndStd,
          hd95: meanAndStd,
          nUndefined: count,
          nMissed: count,
          nFalsePositiveOnEmpty: count,
        },
        meanAndStd,
      ),
    ),
    mean: further({ dice: means, hd95: means }, means),
    classValues: z.record(z.string(), labelValues).optional(),
    settings: z
      .object({
        nsdToleranceMm: z.array(z.number()),
        labelMap: z.record(z.string(), z.int()).optional(),
        resample: z.boolean().optional(),
      })
      .optional(),
    software: z.object({ hybridmim: z.string(), node: z.string() }).optional(),
    files: z
      .object({
        missing: names,
        extra: names,
        misaligned: leftOut,
        unusable: leftOut,
        emptyPredictions: names,
        emptyLabels: names,
        reoriented: names,
        resampled: names,
      })
      .optional(),
    weights: z.object({ checkpoint: z.enum(['best', 'last']), chosenOnTheseCases: z.boolean() }).optional(),
  })
  .refine(({ classes, perClass }) => classes.every((name) => Object.hasOwn(perClass, name)), {
    path: ['perClass'],
  })
  .refine(
    ({ classes, cases }) => cases.every((one) => classes.every((name) => Object.hasOwn(one.classes, name))),
    {
      path: ['cases'],
    },
  )
  .refine(
    ({ classes, classValues }) => !classValues || classes.every((name) => Object.hasOwn(classValues, name)),
    { path: ['classValues'] },
  );

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
  const content = jsonOrUndefined(await readRecordText(file));
  if (isEvaluation(content)) return content;
  const field = wrongFieldOf(content) ?? 'JSON';
  throw new DataError(`${file} is no evaluation: ${field} is wrong; delete it to have it made again`, {
    file,
    field,
  });
}
