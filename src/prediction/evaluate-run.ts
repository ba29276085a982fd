import { basename, join } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import {
  labelledDatasets,
  type PreparedCase,
  readPreparedIndex,
  selectCases,
  withFold,
} from '../dataset/index.js';
import { DataError } from '../errors.js';
import {
  type CaseResult,
  defaultFurtherMetrics,
  type Evaluation,
  evaluateCase,
  type FurtherMetrics,
  summarise,
} from '../evaluation/index.js';
import { predictCase } from '../inference/index.js';
import { softwareVersions } from '../package-version.js';
import { foldOf } from '../training/index.js';
import { writeNifti } from '../volume/index.js';
import { openRunWeights, readFinetunedRun, runWeights } from '../weights/index.js';
import { makeFolder } from '../whole-file.js';
import { readReference } from './read-reference.js';

export interface RunEvaluation {
  /** Folder of a fine-tuning run. */
  readonly run: string;
  readonly split: 'training' | 'validation' | 'test';
  /** `best` where there is one, unless said otherwise. */
  readonly checkpoint?: 'best' | 'last' | undefined;
  readonly task: string;
  /** What is measured beside Dice and HD95. */
  readonly further?: FurtherMetrics;
  /** After each case. */
  readonly onCase?: (id: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where the predictions of a split's cases stand, by case id: named as the case, with its dataset where there
 * are several.
 */
export function predictionFiles(
  run: string,
  cases: readonly Pick<PreparedCase, 'id' | 'dataset' | 'name'>[],
): Map<string, string> {
  const several = new Set(cases.map(({ dataset }) => dataset)).size > 1;
  return new Map(
    cases.map(({ id, dataset, name }) => [
      id,
      join(run, 'predictions', `${several ? `${dataset}_` : ''}${name}.nii.gz`),
    ]),
  );
}

/**
 * Predicts every case of a split in the scan's own space, writes the predictions into `predictions/` of the
 * run, and evaluates them against the labels as their files have them.
 */
export async function evaluateRun({
  run,
  split,
  checkpoint,
  task,
  further = defaultFurtherMetrics,
  onCase,
  signal,
}: RunEvaluation): Promise<Evaluation> {
  const { data } = await readFinetunedRun(run);
  // The cases that validated that run.
  const index = withFold(await readPreparedIndex(data.prepared), foldOf(data));
  const datasets = labelledDatasets(index, data.datasets, data.prepared);
  const selected = selectCases(index, { split, datasets }, data.prepared);
  // Of the training cases, those without a label were no part of the run; elsewhere a label is missed.
  const cases =
    split === 'training' ? selected.filter(({ sourceLabel }) => sourceLabel !== undefined) : selected;
  const opened = await openRunWeights({ runs: [run], checkpoint });
  const used = basename(runWeights(run, checkpoint), '.safetensors') === 'best' ? 'best' : 'last';
  const { scheme } = opened;
  try {
    await makeFolder(join(run, 'predictions'));
    const files = predictionFiles(run, cases);
    const evaluated = scheme.names.map((name, i) => ({ name, values: itemAt(scheme.values, i) }));
    // The datasets of one run have the same labels.
    const { ignore } = entryOf(index.datasets, itemAt(cases, 0).dataset);
    const results: CaseResult[] = [];
    for (const prepared of cases) {
      signal?.throwIfAborted();
      if (prepared.sourceLabel === undefined) {
        const remedy = 'give it one in the dataset index';
        throw new DataError(
          `case ${prepared.id} of the split "${split}" has no label to evaluate against: ${remedy}`,
          {
            field: 'label',
          },
        );
      }
      const scan = {
        images: prepared.sourceImages,
        preprocessing: prepared.preprocessing,
        scheme,
        progress: { signal },
      };
      const { label } = await predictCase(opened.predictor, scan);
      const prediction = entryOf(files, prepared.id);
      await writeNifti(prediction, label);
      const reference = await readReference(index, prepared);
      results.push(
        evaluateCase(
          prepared.id,
          label,
          reference,
          evaluated,
          { prediction, reference: prepared.sourceLabel },
          further,
          ignore,
        ),
      );
      onCase?.(prepared.id, results.length, cases.length);
    }
    return summarise(task, scheme.names, results, {
      classValues: Object.fromEntries(evaluated.map(({ name, values }) => [name, values])),
      settings: { ...further, ...(ignore !== undefined && { ignore }) },
      software: softwareVersions(),
      weights: { checkpoint: used, chosenOnTheseCases: used === 'best' && split === data.validateOn },
    });
  } finally {
    opened.close();
  }
}
