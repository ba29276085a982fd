import { join } from 'node:path';
import pino from 'pino';
import { appendWhole } from '../whole-file.js';
import type { RunProgress } from './loop.js';

/**
 * `log.jsonl` of a run folder: what happened to the run, one object a line, appended over every resumption.
 */
export interface RunLog {
  /** Where its lines go. */
  readonly file: string;
  info(event: string, facts?: object): void;
  failed(error: unknown): void;
}

/**
 * Opens the log of a run folder, which must exist. Lines are written at once, so that a killed run has them
 * all.
 */
export function openRunLog(folder: string): RunLog {
  const file = join(folder, 'log.jsonl');
  const destination = { write: (line: string) => appendWhole(file, line) };
  const logger = pino({ base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    file,
    info: (event, facts = {}) => logger.info(facts, event),
    failed: (error) => {
      try {
        logger.error({ err: error }, error instanceof Error ? error.message : String(error));
      } catch {
        // A disk that is full takes no line about it: the error itself is thrown on, and printed.
      }
    },
  };
}

/**
 * A run's progress that is also written down: its start, validations and checkpoints; steps have
 * `metrics.jsonl`.
 */
export function loggedProgress(progress: RunProgress, log: RunLog): RunProgress {
  return {
    ...progress,
    onStart: (facts) => {
      log.info('started', facts);
      progress.onStart?.(facts);
    },
    onValidation: (step, values, best) => {
      log.info('validated', { step, values, best });
      progress.onValidation?.(step, values, best);
    },
    onCheckpoint: async (lines) => {
      log.info('checkpoint', { step: lines.at(-1)?.step });
      await progress.onCheckpoint?.(lines);
    },
  };
}
