import type { CaseFinding } from './check-case.js';

/** What is odd about a case of a set. */
export interface Finding extends CaseFinding {
  /** `dataset/name`. */
  readonly id: string;
}
