import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * COVID-19-20 challenge: `COVID-19-20_v2/Train/volume-covid19-A-0003_ct.nii.gz`
 * and `..._seg.nii.gz` beside it. `Validation` has no labels.
 */
export const covid1920: Release = {
  modality: 'ct',
  patterns: {
    channels: [{ name: 'CT', caseOf: caseNamed(/\/(?<case>[^/]+)_ct\.nii(?:\.gz)?$/) }],
    labelOf: caseNamed(/\/(?<case>[^/]+)_seg\.nii(?:\.gz)?$/),
  },
  scheme: () => ({ classes: { 1: 'COVID-19 lesion' } }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-1000, 1000] },
  expected: 'Train/volume-covid19-A-0003_ct.nii.gz with Train/volume-covid19-A-0003_seg.nii.gz',
};
