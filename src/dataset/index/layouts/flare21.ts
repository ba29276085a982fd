import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * FLARE 2021: `TrainingImg/train_000_0000.nii.gz` with `TrainingMask/train_000.nii.gz`;
 * the validation scans `validation_001_0000.nii.gz` have no masks. Told by the names of
 * the files, since copies of the release name its folders differently.
 */
export const flare21: Release = {
  modality: 'ct',
  patterns: {
    channels: [
      { name: 'CT', caseOf: caseNamed(/\/(?<case>(?:train|validation|test)_\d+)_0000\.nii(?:\.gz)?$/) },
    ],
    labelOf: caseNamed(/\/(?<case>(?:train|validation|test)_\d+)\.nii(?:\.gz)?$/),
  },
  scheme: () => ({ classes: { 1: 'liver', 2: 'kidney', 3: 'spleen', 4: 'pancreas' } }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-1000, 1000] },
  expected: 'TrainingImg/train_000_0000.nii.gz with TrainingMask/train_000.nii.gz',
};
