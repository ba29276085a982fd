import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * BTCV, "Beyond the Cranial Vault", abdomen: `RawData/Training/img/img0001.nii.gz` and
 * `label/label0001.nii.gz` as Synapse hands them out, or `imagesTr` and `labelsTr` with the
 * same names, as MONAI's tutorials move them. `Testing/img` (or `imagesTs`) has no labels.
 */
export const btcv: Release = {
  modality: 'ct',
  patterns: {
    channels: [
      { name: 'CT', caseOf: caseNamed(/\/(?:img|imagesTr|imagesTs)\/img(?<case>\d+)\.nii(?:\.gz)?$/, 'img') },
    ],
    labelOf: caseNamed(/\/(?:label|labelsTr)\/label(?<case>\d+)\.nii(?:\.gz)?$/, 'img'),
  },
  scheme: () => ({
    classes: {
      1: 'spleen',
      2: 'right kidney',
      3: 'left kidney',
      4: 'gallbladder',
      5: 'oesophagus',
      6: 'liver',
      7: 'stomach',
      8: 'aorta',
      9: 'inferior vena cava',
      10: 'portal and splenic veins',
      11: 'pancreas',
      12: 'right adrenal gland',
      13: 'left adrenal gland',
    },
  }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-175, 250] },
  expected:
    'RawData/Training/img/img0001.nii.gz with RawData/Training/label/label0001.nii.gz, or imagesTr and labelsTr with these names',
};
