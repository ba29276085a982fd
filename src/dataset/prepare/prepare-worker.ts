import { DataError } from '../../errors.js';
import type { PreparedCase } from '../index/prepared-index.js';
import { type PrepareCaseTask, prepareCase } from './prepare-case.js';

/** Errors lose their class between threads, so a case that cannot be used comes back as a value. */
export type PrepareCaseOutcome =
  | { readonly kind: 'prepared'; readonly record: PreparedCase }
  | { readonly kind: 'unusable'; readonly reason: string; readonly file?: string };

/**
 * Worker thread of `prepareDatasets`: one case a task. Anything but bad data is thrown and ends the command.
 */
export default async function prepareCaseInWorker(task: PrepareCaseTask): Promise<PrepareCaseOutcome> {
  try {
    return { kind: 'prepared', record: await prepareCase(task) };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const { file } = error.facts;
    return { kind: 'unusable', reason: error.message, ...(file !== undefined && { file }) };
  }
}
