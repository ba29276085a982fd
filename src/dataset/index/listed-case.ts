import type { Preprocessing } from '../prepare/preprocessing.js';
import type { LabelMap, Overlap, Regions, SplitName } from './dataset-file.js';

/** One case as a layout lists it: absolute paths, nothing read yet. */
export interface ListedCase {
  /** Unique within its dataset. */
  readonly name: string;
  /** The name in its files, where that is another: what the index names it by counts as well. */
  readonly foundAs?: string;
  /** One file a channel, or one file that may hold several. */
  readonly images: readonly string[];
  /** The label file; of a label in several files (`masks`) what they are found by. */
  readonly label?: string;
  /** The label as one mask a structure. */
  readonly masks?: Masks;
  /** Whether the label lies voxel on voxel on the image whatever their headers say. */
  readonly aligned?: boolean;
  readonly labelMap?: LabelMap;
  /** What the case shares with others that must be on one side of a split, such as its patient; absent: alone. */
  readonly group?: string;
  /** Fixed by the index or layout; absent: drawn. */
  readonly split?: SplitName;
  /** The fold that a data list puts the case into, where it is asked for. */
  readonly fold?: number;
  /** Why the case cannot be used, where its files' names say so already: one sentence. */
  readonly problem?: string;
  /** All files that were found for a case with a problem. */
  readonly problemFiles?: readonly string[];
}

/** Why files of a dataset that its layout knows are not used. */
export type LeftOutReason =
  /** Scans of a part without labels, which `includeTest` takes in. */
  | 'without-labels'
  /** Labels, where `withLabels` is false. */
  | 'label-not-wanted'
  /** Of cases that `exclude` names. */
  | 'excluded'
  /** Masks of structures that are no class. */
  | 'other-structure';

/** Files that a layout knows and leaves out. */
export interface LeftOutFiles {
  readonly reason: LeftOutReason;
  readonly files: readonly string[];
}

/** Masks that make up a label: what is inside a mask has its value, everything else is background. */
export interface Masks {
  /** In the order of classes. */
  readonly files: readonly { readonly value: number; readonly file: string }[];
  readonly overlap: Overlap;
}

/** A listed case with its split, and the name `dataset/name` it has everywhere else. */
export interface SourceCase extends ListedCase {
  readonly id: string;
  readonly dataset: string;
  readonly split: SplitName;
}

/** What may put one patient on both sides of a split, in a sentence. */
export interface GroupOddity {
  /** `dataset/name` of the first case. */
  readonly id: string;
  readonly kind: 'visits' | 'split-group';
  readonly message: string;
}

export interface SourceDataset {
  readonly name: string;
  readonly modality: 'ct' | 'mr';
  /** Label value to class name; empty when the dataset has no labels. */
  readonly classes: Readonly<Record<string, string>>;
  /** Regions that are learnt instead of the classes. */
  readonly regions?: Regions;
  /** The label value of voxels that nobody labelled. */
  readonly ignore?: number;
  readonly preprocessing: Preprocessing;
  readonly cases: readonly SourceCase[];
  /** What the layout left out or found odd, in sentences. */
  readonly notes: readonly string[];
  /** The folder that the dataset lies in. */
  readonly folder: string;
  /** Files that say what the dataset consists of, such as its `dataset.json`. */
  readonly descriptions: readonly string[];
  readonly leftOut: readonly LeftOutFiles[];
  /** Whether the index says which cases belong together, or that none do. */
  readonly groupsStated: boolean;
  /** What may put one patient on both sides of a split. */
  readonly groupOddities: readonly GroupOddity[];
}
