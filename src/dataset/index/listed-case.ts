import type { Preprocessing } from '../prepare/preprocessing.js';
import type { LabelMap, SplitName } from './dataset-file.js';

/** One case as a layout lists it: absolute paths, nothing read yet. */
export interface ListedCase {
  /** Unique within its dataset. */
  readonly name: string;
  /** One file a channel, or one file that may hold several. */
  readonly images: readonly string[];
  readonly label?: string;
  readonly labelMap?: LabelMap;
  /** Fixed by the index or layout; absent: drawn. */
  readonly split?: SplitName;
  /** Why the case cannot be used, where its files' names say so already: one sentence. */
  readonly problem?: string;
}

/** A listed case with its split, and the name `dataset/name` it has everywhere else. */
export interface SourceCase extends ListedCase {
  readonly id: string;
  readonly dataset: string;
  readonly split: SplitName;
}

export interface SourceDataset {
  readonly name: string;
  readonly modality: 'ct' | 'mr';
  /** Label value to class name; empty when the dataset has no labels. */
  readonly classes: Readonly<Record<string, string>>;
  readonly preprocessing: Preprocessing;
  readonly cases: readonly SourceCase[];
  /** What the layout left out or found odd, in sentences. */
  readonly notes: readonly string[];
}
