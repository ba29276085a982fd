import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readPreparedIndex, selectCases, toClassValues } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { type CaseResult, type Evaluation, evaluateCase, summarise } from '../evaluation/index.js';
import { predictCase } from '../inference/index.js';
import { readRunConfig } from '../training/index.js';
import { readVolume, writeNifti } from '../volume/index.js';
import { openWeights, readWeightsFacts } from './open-weights.js';

const triple = z.tuple([z.number(), z.number(), z.number()]);
const runFacts = z.object({
  precision: z.enum(['float32', 'bfloat16']),
  data: z.object({ prepared: z.string(), datasets: z.array(z.string()).optional(), cropSize: triple }),
  train: z.object({ threads: z.int() }),
  inference: z.object({ window: triple.optional(), overlap: z.number() }),
});
export type FinetunedRun = z.infer<typeof runFacts>;

export interface RunEvaluation {
  /** Folder of a fine-tuning run. */
  readonly run: string;
  readonly split: 'training' | 'validation' | 'test';
  /** `best` where there is one, unless said otherwise. */
  readonly checkpoint?: 'best' | 'last' | undefined;
  readonly task: string;
  readonly onCase?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The weights file of a run to predict with. Throws DataError when there is none. */
export function runWeights(run: string, checkpoint?: 'best' | 'last'): string {
  const candidates = checkpoint ? [checkpoint] : ['best', 'last'];
  const files = candidates.map((name) => join(run, 'checkpoints', `${name}.safetensors`));
  const found = files.find((file) => existsSync(file));
  if (found) return found;
  throw new DataError(`${run} holds no weights: ${files.join(' or ')} is expected; finish the fine-tuning first`, { file: run });
}

/** The settings of a fine-tuning run that prediction needs. Throws DataError when the folder is another kind of run. */
export async function readFinetunedRun(run: string): Promise<FinetunedRun> {
  const parsed = runFacts.safeParse(await readRunConfig(run));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]!.path.join('.');
  throw new DataError(`${join(run, 'config.yaml')} is no configuration of a fine-tuning run: ${field} is missing or wrong`, { file: run, field });
}

/**
 * Predicts every case of a split in the scan's own space, writes the predictions into `predictions/` of the run, and evaluates them
 * against the labels as their files have them.
 */
export async function evaluateRun({ run, split, checkpoint, task, onCase, signal }: RunEvaluation): Promise<Evaluation> {
  const settings = await readFinetunedRun(run);
  const index = await readPreparedIndex(settings.data.prepared);
  const cases = selectCases(index, { split, ...(settings.data.datasets && { datasets: settings.data.datasets }) }, settings.data.prepared);
  const weights = runWeights(run, checkpoint);
  const { network, scheme } = await readWeightsFacts(weights);
  const { precision, inference, data, train } = settings;
  const opened = await openWeights(weights, network, {
    window: inference.window ?? data.cropSize,
    overlap: inference.overlap,
    precision,
    threads: train.threads,
  });
  try {
    const folder = join(run, 'predictions');
    await mkdir(folder, { recursive: true });
    const results: CaseResult[] = [];
    for (const prepared of cases) {
      signal?.throwIfAborted();
      onCase?.(prepared.id, results.length, cases.length);
      if (prepared.sourceLabel === undefined) {
        throw new DataError(`case ${prepared.id} of the split "${split}" has no label to evaluate against: give it one in the dataset index`, {
          field: 'label',
        });
      }
      const { label } = await predictCase(opened.predictor, { images: prepared.sourceImages, preprocessing: prepared.preprocessing, scheme });
      const prediction = join(folder, `${prepared.name}.nii.gz`);
      await writeNifti(prediction, label);
      const { classes } = index.datasets[prepared.dataset]!;
      const reference = toClassValues(await readVolume(prepared.sourceLabel), classes, prepared.labelMap, prepared.sourceLabel);
      const evaluated = scheme.names.map((name, i) => ({ name, values: scheme.values[i]! }));
      results.push(evaluateCase(prepared.id, label, reference, evaluated, { prediction, reference: prepared.sourceLabel }));
    }
    return summarise(task, scheme.names, results);
  } finally {
    opened.close();
  }
}
