import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { openDicomFile } from '../../src/volume/dicom-file.js';
import { requireWholeFragments } from '../../src/volume/dicom-pixels.js';
import { readVolume } from '../../src/volume/index.js';
import { readReference, referenceFile } from './references.js';

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-dicom-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

// Made by `test/parity/volume/encapsulated-dicom.py`, which read them by pydicom.
const { sums } = readReference<{ sums: Record<string, number> }>('encapsulated-dicom/sums.json');

describe('a DICOM slice whose pixels have no plain length', () => {
  it.each(Object.entries(sums))('is read as pydicom reads it: %s', async (name, sum) => {
    const { data } = await readVolume(referenceFile(join('encapsulated-dicom', name)));
    expect(Array.from(data).reduce((all, value) => all + value, 0)).toBe(sum);
  });

  it.each(Object.keys(sums))('is refused wherever it is cut off: %s', async (name) => {
    const whole = readFileSync(referenceFile(join('encapsulated-dicom', name, 'slice.dcm')));
    const target = mkdtempSync(join(folder, `${name}-`));
    // The mark of the end of compressed pixels is 8 bytes, of which the last four are zero.
    const least = name === 'deflated' ? 2 : 5; // after what is deflated stands a byte that fills it up
    const cuts = [least, 8, 12, 40, 100, 250].map((bytes) => whole.length - bytes);
    for (const length of [...cuts, Math.floor(whole.length / 2)]) {
      writeFileSync(join(target, 'slice.dcm'), whole.subarray(0, length));
      const error = await readVolume(target).catch((thrown: unknown) => thrown);
      expect(error, `cut to ${length} bytes of ${whole.length}`).toBeInstanceOf(DataError);
      expect((error as DataError).message).toContain('slice.dcm');
    }
  });

  it.each(['rle', 'jpeg2000'])('is known to be cut before ITK decodes it: %s', async (name) => {
    const whole = readFileSync(referenceFile(join('encapsulated-dicom', name, 'slice.dcm')));
    const file = join(folder, `${name}.dcm`);
    writeFileSync(file, whole);
    const { pixels } = (await openDicomFile(file))!;
    await requireWholeFragments(file, pixels!);
    for (const bytes of [5, 8, 40, 1000]) {
      writeFileSync(file, whole.subarray(0, whole.length - bytes));
      await expect(requireWholeFragments(file, pixels!)).rejects.toThrow(
        /compressed pixels end before the mark of their end/,
      );
    }
  });
});
