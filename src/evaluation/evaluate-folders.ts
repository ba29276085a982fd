import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type LabelMap, toClassValues } from '../dataset/index.js';
import { DataError, UsageError } from '../errors.js';
import { readVolume } from '../volume/index.js';
import { type CaseResult, type EvaluatedClass, evaluateCase } from './evaluate-case.js';

export interface FolderEvaluation {
  readonly predictions: string;
  readonly labels: string;
  readonly classes: readonly EvaluatedClass[];
  /** Values that stand for others, in predictions and labels alike. */
  readonly labelMap?: LabelMap | undefined;
  /** After each case. */
  readonly onCase?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evaluates the predictions in a folder against the labels of the same names (`.nii` or `.nii.gz`) in another, in order of name.
 * Both folders must hold the same cases: a case left out would make the means look better than they are.
 * @throws DataError when a folder is missing or empty, a file has no partner or two, the volumes of a pair do not share one grid,
 * or one holds a value that is no class; UsageError when two classes have one name
 */
export async function evaluateFolders({ predictions, labels, classes, labelMap, onCase, signal }: FolderEvaluation): Promise<CaseResult[]> {
  refuseSameNames(classes);
  const pairs = pairByName(predictions, await volumesIn(predictions, 'predictions'), labels, await volumesIn(labels, 'labels'));
  const names = Object.fromEntries(classes.flatMap(({ name, values }) => values.map((value) => [String(value), name])));
  const read = async (file: string) => toClassValues(await readVolume(file), names, labelMap, file);
  const results: CaseResult[] = [];
  for (const { id, prediction, reference } of pairs) {
    signal?.throwIfAborted();
    results.push(evaluateCase(id, await read(prediction), await read(reference), classes, { prediction, reference }));
    onCase?.(id, results.length, pairs.length);
  }
  return results;
}

/** Results are kept by the names of classes, so the second of two would replace the first. */
function refuseSameNames(classes: readonly EvaluatedClass[]): void {
  const twice = classes.find(({ name }, i) => classes.findIndex((other) => other.name === name) < i);
  if (!twice) return;
  throw new UsageError(`two classes are named "${twice.name}": give each class a name of its own`, { field: 'classes', found: twice.name });
}

/** Volumes of a folder by name without ending, in order of name; hidden files and logits that `predict` wrote are none. */
async function volumesIn(folder: string, what: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`the folder of ${what}, ${folder}, cannot be read (${cause.code}): check the path`, { file: folder }, { cause });
  });
  const volumes = new Map<string, string>();
  for (const name of names.filter((name) => /^[^.].*\.nii(\.gz)?$/.test(name) && !/_logits\.nii/.test(name)).sort()) {
    const [id, file] = [name.replace(/\.nii(\.gz)?$/, ''), join(folder, name)];
    const other = volumes.get(id);
    if (other) throw new DataError(`${file} and ${other} are both named ${id}, but files pair by name: remove or rename one of them`, { file });
    volumes.set(id, file);
  }
  if (volumes.size === 0) throw new DataError(`the folder of ${what}, ${folder}, holds no .nii or .nii.gz file`, { file: folder });
  return volumes;
}

interface Pair {
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
}

function pairByName(predictions: string, predicted: ReadonlyMap<string, string>, labels: string, present: ReadonlyMap<string, string>): Pair[] {
  requirePartners('prediction', predicted, 'label', labels, present);
  requirePartners('label', present, 'prediction', predictions, predicted);
  return [...predicted].map(([id, prediction]) => ({ id, prediction, reference: present.get(id)! }));
}

function requirePartners(
  what: string,
  files: ReadonlyMap<string, string>,
  partner: string,
  folder: string,
  partners: ReadonlyMap<string, string>,
): void {
  const alone = [...files.keys()].filter((id) => !partners.has(id));
  if (alone.length === 0) return;
  const [first] = alone as [string];
  const others = alone.length === 1 ? '' : `, nor have ${alone.length - 1} others of the ${files.size} in its folder`;
  throw new DataError(
    `${what} ${files.get(first)} has no ${partner}${others}: ${join(folder, `${first}.nii.gz`)} is expected; files pair by name, and every file needs its partner`,
    { file: files.get(first)!, found: alone, expected: `a ${partner} for each ${what}` },
  );
}
