import type { PaperTask } from './class-names.js';

/** A table of the paper with its own rows. */
export interface TaskTable {
  readonly number: TableNumber;
  readonly caption: string;
  /** Titles of the cells in front of the numbers. */
  readonly labels: readonly string[];
  readonly columns: readonly TaskColumn[];
  readonly published: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

export type TableNumber = 1 | 2 | 3 | 4;

/** A column of one of the paper's tables: where its number comes from. */
export interface TaskColumn {
  readonly title: string;
  readonly metric: 'dice' | 'hd95';
  /** As a task of ours is called. */
  readonly task: PaperTask;
  /** undefined: the mean over classes. */
  readonly className: string | undefined;
}
