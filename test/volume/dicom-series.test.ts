import { cpSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { openSlices, readVolume } from '../../src/volume/index.js';
import { largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_dicom_references.py` with SimpleITK. */
const { references } = readReference<{
  references: Readonly<
    Record<string, { readonly affine: readonly number[]; readonly values: readonly number[] }>
  >;
}>('dicom.json');
const series = (name: string) => referenceFile(join('dicom', name));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-series-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the sound series, one slice of which was changed. */
function damaged(name: string, damage: (slice: string) => void): string {
  const target = join(folder, name);
  cpSync(series('equal'), target, { recursive: true });
  damage(join(target, 'IM0003.dcm'));
  return target;
}

describe('a DICOM series', () => {
  it.each(Object.entries(references))(
    'has the place and values of %s as SimpleITK reads them',
    async (name, expected) => {
      const { affine, data } = await readVolume(series(name));
      expect(largestDifference(affine.rows, expected.affine)).toBeLessThan(1e-6);
      const largest = Math.max(...expected.values.map(Math.abs));
      expect(largestDifference(data, expected.values)).toBeLessThan(1e-6 * largest);
      const sliced: number[] = [];
      for await (const slice of (await openSlices(series(name))).slices()) sliced.push(...slice);
      expect(sliced).toEqual([...data]);
    },
  );

  it.each([
    [
      'tilted',
      /tilted was made with a gantry tilted by 20.0 degrees: .* so resample it to a straight grid first/,
    ],
    ['tilted-the-other-way', /made with a gantry tilted by 5.0 degrees/],
    ['aside', /IM0006.dcm lies 3.00 mm aside of the other slices of its series: remove what is no slice/],
    [
      'frames-of-two-times',
      /frames-of-two-times holds 4 slices at 2 places, 2 at each, so that it is several volumes, .*: convert them to NIfTI, each/,
    ],
    [
      'frames-uneven',
      /is not evenly spaced: 5.00 mm between frame 2 of .*frames.dcm and frame 3 of .*frames.dcm, 2.50 mm elsewhere/,
    ],
    ['frames-at-no-place', /frame 1 of .*frames.dcm does not say where it lies \(ImagePositionPatient\)/],
  ])('%s is refused in one sentence', async (name, sentence) => {
    const reading = readVolume(series(name));
    await expect(reading).rejects.toThrow(sentence);
    await expect(reading).rejects.toBeInstanceOf(DataError);
  });

  it('with a slice that is short is refused by its name', async () => {
    const whole = readFileSync(join(series('equal'), 'IM0003.dcm'));
    const pixels = whole.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]));
    const promises = (bytes: number) =>
      `IM0003.dcm is truncated: its header promises 40 bytes of pixels, ${bytes} are there; copy or download`;
    const shorter = (slice: string) => {
      const bytes = Buffer.from(whole.subarray(0, whole.length - 10));
      bytes.writeUInt32LE(30, pixels + 8);
      writeFileSync(slice, bytes);
    };
    for (const [what, damage, sentence] of [
      ['cut', (slice: string) => truncateSync(slice, whole.length - 6), promises(34)],
      ['short', shorter, promises(30)],
      ['without', (slice: string) => truncateSync(slice, pixels), /IM0003.dcm is damaged or truncated/],
    ] as const) {
      const reading = readVolume(damaged(what, damage));
      await expect(reading).rejects.toBeInstanceOf(DataError);
      await expect(reading).rejects.toThrow(sentence);
    }
  });

  it('is refused where its slices lie beyond all space', async () => {
    const target = join(folder, 'far');
    cpSync(series('equal'), target, { recursive: true });
    for (const name of readdirSync(target)) {
      const file = join(target, name);
      const bytes = readFileSync(file);
      bytes.write('-1e13', bytes.indexOf('-12.5\\33'));
      writeFileSync(file, bytes);
    }
    await expect(readVolume(target)).rejects.toThrow(
      /far: the affine .* has an origin that is too far away; .*, so correct ImageOrientationPatient/,
    );
  });
});
