import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * LUNA16: `subset0` to `subset9` with a MetaImage a series, `<series UID>.mhd` and its `.raw` or `.zraw`. It
 * has nodule positions but no segmentations for training; the lung masks in `seg-lungs-LUNA16` are left out.
 */
export const luna16: Release = {
  modality: 'ct',
  patterns: { channels: [{ name: 'CT', caseOf: caseNamed(/\/subset\d\/(?<case>[^/]+)\.mh[ad]$/) }] },
  scheme: () => ({ classes: {} }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-1000, 1000] },
  expected: 'subset0/<series UID>.mhd with its .raw, up to subset9',
};
