import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toClassValues } from '../dataset/index.js';
import { DataError } from '../errors.js';
import { readVolume } from '../volume/index.js';
import { type CaseResult, type EvaluatedClass, evaluateCase } from './evaluate-case.js';

export interface FolderEvaluation {
  readonly predictions: string;
  readonly labels: string;
  readonly classes: readonly EvaluatedClass[];
  /** Before each case. */
  readonly onCase?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evaluates every prediction in a folder against the label of the same name (`.nii` or `.nii.gz`) in another.
 * @throws DataError when a folder is missing or empty, a prediction has no label, or a volume holds a value that is no class
 */
export async function evaluateFolders({ predictions, labels, classes, onCase, signal }: FolderEvaluation): Promise<CaseResult[]> {
  const [predicted, present] = [await volumesIn(predictions, 'predictions'), await volumesIn(labels, 'labels')];
  const results: CaseResult[] = [];
  const names = Object.fromEntries(classes.flatMap(({ name, values }) => values.map((value) => [String(value), name])));
  for (const [id, prediction] of predicted) {
    signal?.throwIfAborted();
    const reference = present.get(id);
    if (!reference) {
      throw new DataError(`prediction ${prediction} has no label: ${join(labels, `${id}.nii.gz`)} is expected; files pair by name`, {
        file: prediction,
      });
    }
    onCase?.(id, results.length, predicted.size);
    const read = async (file: string) => toClassValues(await readVolume(file), names, undefined, file);
    results.push(evaluateCase(id, await read(prediction), await read(reference), classes, { prediction, reference }));
  }
  return results;
}

/** Volumes of a folder by name without ending, in order of name. */
async function volumesIn(folder: string, what: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`the folder of ${what}, ${folder}, cannot be read (${cause.code}): check the path`, { file: folder }, { cause });
  });
  const volumes = names.filter((name) => /\.nii(\.gz)?$/.test(name) && !/_logits\.nii/.test(name)).sort();
  if (volumes.length === 0) throw new DataError(`the folder of ${what}, ${folder}, holds no .nii or .nii.gz file`, { file: folder });
  return new Map(volumes.map((name) => [name.replace(/\.nii(\.gz)?$/, ''), join(folder, name)]));
}
