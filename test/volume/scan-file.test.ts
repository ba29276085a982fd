import { describe, expect, it } from 'vitest';
import { isScanFile, scanName } from '../../src/volume/index.js';

describe('names of scans', () => {
  it.each(['.nii', '.nii.gz', '.hdr', '.mha', '.mhd', '.nrrd', '.nhdr', '.mgz', '.mgh', '.NII.GZ', '.Mha'])(
    'have the ending %s',
    (ending) => {
      expect(isScanFile(`liver_1.2${ending}`)).toBe(true);
      expect(scanName(`liver_1.2${ending}`)).toBe('liver_1.2');
    },
  );

  it.each(['.img', '.raw', '.zraw', '.gz', '.json', '.dcm', '', '.nii.gz.txt'])(
    'do not end in %j',
    (ending) => {
      expect(isScanFile(`liver${ending}`)).toBe(false);
      expect(scanName(`liver${ending}`)).toBe(`liver${ending}`);
    },
  );
});
