import { plainLine } from './plain-text.js';

/** What an error can say beside its sentence; `--json` output and logs carry it unchanged. */
export interface ErrorFacts {
  readonly file?: string;
  readonly field?: string;
  readonly found?: unknown;
  readonly expected?: unknown;
}

/** An error whose message is one sentence for the user. `exitCode` is what the process ends with. */
export abstract class HybridMimError extends Error {
  abstract readonly exitCode: number;
  readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(plainLine(message), options);
    this.name = new.target.name;
    this.facts = facts;
  }
}

/** The code of an error of the system, such as `ENOENT`; undefined where it has none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Something failed while working: no kernel, no disk space, a loss that is not a number. Exit code 1. */
export class WorkError extends HybridMimError {
  readonly exitCode = 1;
}

/** Wrong use or configuration: an unknown key, a value out of range, flags that contradict. Exit code 2. */
export class UsageError extends HybridMimError {
  readonly exitCode = 2;
}

/**
 * Input data that cannot be used: a truncated file, grids that differ, a label outside the task. Exit code 3.
 */
export class DataError extends HybridMimError {
  readonly exitCode = 3;
}

/** A tensor whose shape does not fit the operation; names the place in the network. Exit code 1. */
export class ShapeError extends WorkError {}

/** The user stopped the run and its state was saved. Exit code 130. */
export class InterruptedError extends HybridMimError {
  readonly exitCode = 130;
}
