import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors.js';
import { firstIssue } from '../first-issue.js';
import { inferenceSection } from '../inference/index.js';
import { readRunConfig } from '../training/index.js';

const triple = z.tuple([z.number(), z.number(), z.number()]);
const runFacts = z.object({
  precision: z.enum(['float32', 'bfloat16']),
  data: z.object({
    prepared: z.string(),
    datasets: z.array(z.string()).optional(),
    cropSize: triple,
    folds: z.int().optional(),
    fold: z.int().optional(),
    /** The cases that chose its best weights. */
    validateOn: z.enum(['validation', 'training']).default('validation'),
  }),
  train: z.object({ threads: z.int() }),
  inference: inferenceSection,
});
export type FinetunedRun = z.infer<typeof runFacts>;

/** The weights file of a run to predict with. Throws DataError when there is none. */
export function runWeights(run: string, checkpoint?: 'best' | 'last'): string {
  const candidates = checkpoint ? [checkpoint] : ['best', 'last'];
  const files = candidates.map((name) => join(run, 'checkpoints', `${name}.safetensors`));
  const found = files.find((file) => existsSync(file));
  if (found) return found;
  throw new DataError(
    `${run} holds no weights: ${files.join(' or ')} is expected; finish the fine-tuning first`,
    { file: run },
  );
}

/**
 * The settings of a fine-tuning run that prediction needs. Throws DataError when the folder is another kind
 * of run.
 */
export async function readFinetunedRun(run: string): Promise<FinetunedRun> {
  const parsed = runFacts.safeParse(await readRunConfig(run));
  if (parsed.success) return parsed.data;
  const field = firstIssue(parsed.error).field;
  const file = join(run, 'config.yaml');
  throw new DataError(`${file} is no configuration of a fine-tuning run: ${field} is missing or wrong`, {
    file: run,
    field,
  });
}
