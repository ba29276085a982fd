import type { CaseFinding } from './check-case.js';

export interface Finding extends CaseFinding {
  /** `dataset/name`. */
  readonly id: string;
}
