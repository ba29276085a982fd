import type { Preprocessing } from '../../prepare/preprocessing.js';
import type { LabelMap } from '../dataset-file.js';
import type { LeftOutFiles, ListedCase, SourceDataset } from '../listed-case.js';
import type { CasePatterns } from './match-cases.js';

/** What a layout finds in a dataset's folder; nothing has been read but names and descriptions. */
export interface Listing {
  readonly modality: SourceDataset['modality'];
  /** Label value to name; empty when no case has a label. */
  readonly classes: SourceDataset['classes'];
  /** Regions that are learnt instead of the classes, and the value of voxels without a label. */
  readonly regions?: SourceDataset['regions'];
  readonly ignore?: SourceDataset['ignore'];
  readonly cases: readonly ListedCase[];
  /** What the release is usually prepared with; the index's own settings win. */
  readonly preset?: Partial<Preprocessing>;
  /** Sentences on what was left out on purpose or does not add up, for `prepare --check`. */
  readonly notes?: readonly string[];
  /** The folder that the dataset lies in. */
  readonly folder: string;
  /** Files that the layout read to know the cases. */
  readonly descriptions?: readonly string[];
  readonly leftOut?: readonly LeftOutFiles[];
}

/**
 * A public dataset as its authors hand it out: where its files
 * lie, what its labels mean, how it is usually prepared.
 */
export interface Release {
  readonly modality: SourceDataset['modality'];
  readonly patterns: CasePatterns;
  /** The patient that a case's name says, where several cases may be of one. */
  readonly patientOf?: (name: string) => string | undefined;
  /** Of these cases; a release whose numbering changed tells by their names. */
  readonly scheme: (cases: readonly ListedCase[]) => LabelScheme;
  readonly preset?: Partial<Preprocessing>;
  /** The folders and files that make it, for the error when they are not there. */
  readonly expected: string;
}

/** What the labels of a release mean. */
export interface LabelScheme {
  readonly classes: SourceDataset['classes'];
  readonly labelMap?: LabelMap | undefined;
}
