import { DataError, type ErrorFacts } from '../errors.js';
import { type EvaluatedFiles, type EvaluateFilesTask, evaluateFiles } from './evaluate-files.js';

/** Errors lose their class between threads, so a case that cannot be evaluated comes back as a value. */
export type EvaluateFilesOutcome =
  | ({ readonly kind: 'evaluated' } & EvaluatedFiles)
  | { readonly kind: 'unusable'; readonly message: string; readonly facts: ErrorFacts };

/**
 * Worker thread of `evaluateFolders`: one case a task. Anything but bad data is thrown and ends the command.
 */
export default async function evaluateInWorker(task: EvaluateFilesTask): Promise<EvaluateFilesOutcome> {
  try {
    return { kind: 'evaluated', ...(await evaluateFiles(task)) };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { kind: 'unusable', message: error.message, facts: error.facts };
  }
}
