import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * ATM'22, airways: `TrainBatch1/imagesTr/ATM_001_0000.nii.gz` with a label of the same name in `labelsTr`.
 */
export const atm22: Release = {
  modality: 'ct',
  patterns: {
    channels: [{ name: 'CT', caseOf: caseNamed(/\/images[A-Za-z]+\/(?<case>ATM_\d+)_0000\.nii(?:\.gz)?$/) }],
    labelOf: caseNamed(/\/labels[A-Za-z]+\/(?<case>ATM_\d+)_0000\.nii(?:\.gz)?$/),
  },
  scheme: () => ({ classes: { 1: 'airway' } }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-1000, 1000] },
  expected: 'TrainBatch1/imagesTr/ATM_001_0000.nii.gz with TrainBatch1/labelsTr/ATM_001_0000.nii.gz',
};
