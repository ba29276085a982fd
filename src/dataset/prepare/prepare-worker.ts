import { DataError, WorkError } from '../../errors.js';
import type { PreparedCase } from '../index/prepared-index.js';
import { type PrepareCaseTask, prepareCase } from './prepare-case.js';

/** Errors lose their class between threads, so a case that cannot be used comes back as a value. */
export type PrepareCaseOutcome =
  | { readonly kind: 'prepared'; readonly record: PreparedCase }
  | { readonly kind: 'unusable'; readonly reason: string; readonly file?: string }
  /** Nothing is wrong with the case, and the others will fare no better: the disk is full. */
  | { readonly kind: 'failed'; readonly reason: string; readonly file?: string };

/**
 * Worker thread of `prepareDatasets`: one case a task.
 */
export default async function prepareCaseInWorker(task: PrepareCaseTask): Promise<PrepareCaseOutcome> {
  try {
    return { kind: 'prepared', record: await prepareCase(task) };
  } catch (error) {
    if (!(error instanceof DataError) && !(error instanceof WorkError)) throw error;
    const { file } = error.facts;
    const kind = error instanceof DataError ? 'unusable' : 'failed';
    return { kind, reason: error.message, ...(file !== undefined && { file }) };
  }
}
