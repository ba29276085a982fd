import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { entryOf, itemAt } from '../at.js';
import { type PreparedCase, type PreparedIndex, readPreparedIndex } from '../dataset/index.js';
import { HybridMimError } from '../errors.js';
import { predictionFiles, readReference } from '../prediction/index.js';
import type { ReportCase, ReportEvaluation } from '../report/index.js';
import { readLabel, readVolume } from '../volume/index.js';
import { windowOf } from './shown-window.js';

/**
 * The evaluated cases of a run whose scan, reference and prediction are still there; why others are not goes
 * to the notes.
 * @param prepared as the run's settings have it
 */
export async function runCases(
  run: string,
  prepared: string | undefined,
  evaluation: ReportEvaluation,
  notes: string[],
): Promise<ReportCase[]> {
  const missing = (why: string) => {
    notes.push(`volumes of ${evaluation.name} are not shown: ${why}`);
    return [];
  };
  if (!existsSync(join(run, 'predictions')))
    return missing(`${join(run, 'predictions')} is not there; "hybridmim evaluate --run" writes it`);
  if (prepared === undefined) return missing('its settings name no prepared data');
  const index = await readPreparedIndex(prepared).catch((error: unknown) => {
    if (error instanceof HybridMimError) return error;
    throw error;
  });
  if (index instanceof HybridMimError) return missing(index.message);
  const byId = new Map(evaluation.evaluation.cases.map((result) => [result.id, result]));
  const cases = index.cases.filter(({ id }) => byId.has(id));
  const files = predictionFiles(run, cases);
  return cases.map((prepared) => {
    const { classes } = entryOf(index.datasets, prepared.dataset);
    return {
      id: prepared.id,
      name: evaluation.name,
      source: evaluation.source,
      result: entryOf(byId, prepared.id),
      classes: Object.entries(classes).map(([value, name]) => ({ name, values: [Number(value)] })),
      window: windowOf(prepared).window,
      load: () => caseVolumes(index, prepared, entryOf(files, prepared.id)),
    };
  });
}

async function caseVolumes(index: PreparedIndex, prepared: PreparedCase, prediction: string) {
  return {
    image: await readVolume(itemAt(prepared.sourceImages, 0)),
    reference: await readReference(index, prepared),
    prediction: await readLabel(prediction),
  };
}
