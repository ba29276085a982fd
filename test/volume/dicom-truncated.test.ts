import { mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
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

  it('is not looked for in gigabytes that its file was filled up with', async () => {
    const plain = readFileSync(referenceFile('dicom/equal/IM0000.dcm'));
    const deflated = readFileSync(referenceFile('encapsulated-dicom/deflated/slice.dcm'));
    const pixels = plain.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0]));
    const file = join(folder, 'vast.dcm');
    for (const [bytes, sentence] of [
      [plain.subarray(0, pixels), /has 1\.8 GiB, but no pixels begin in its first 64\.0 MiB: copy/],
      [deflated, /has 1\.8 GiB, but one that is deflated is read up to 1\.0 GiB: copy/],
    ] as const) {
      writeFileSync(file, bytes);
      truncateSync(file, 1800 * 2 ** 20);
      const before = process.memoryUsage().rss;
      await expect(openDicomFile(file)).rejects.toThrow(sentence);
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 29);
    }
    // Pixels that begin early are found, whatever comes after them.
    writeFileSync(file, plain);
    truncateSync(file, 1800 * 2 ** 20);
    expect((await openDicomFile(file))!.pixels).toMatchObject({ offset: expect.any(Number) });
    await rm(file);
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

describe('a DICOM slice whose rescale is no number', () => {
  it.each([
    ['RescaleSlope', Buffer.from([0x28, 0, 0x53, 0x10])],
    ['RescaleIntercept', Buffer.from([0x28, 0, 0x52, 0x10])],
  ])('is refused, alone and in its series: %s', async (_, tag) => {
    const target = mkdtempSync(join(folder, 'rescale-'));
    const whole = readFileSync(referenceFile('dicom/slopes/IM0000.dcm'));
    const at = whole.indexOf(tag) + 8; // tag, kind and length of the element
    whole.write('x', at);
    writeFileSync(join(target, 'slice.dcm'), whole);
    await expect(readVolume(target)).rejects.toThrow(/slice\.dcm: Rescale(Slope|Intercept) is NaN/);
    writeFileSync(join(target, 'next.dcm'), readFileSync(referenceFile('dicom/slopes/IM0002.dcm')));
    await expect(readVolume(target)).rejects.toBeInstanceOf(DataError);
  });
});

describe('a DICOM slice that lost its beginning', () => {
  it.each([
    ['IM0002.dcm', '', 0],
    ['IM0002.dcm', '', 100],
    ['IM0002', 'IM0000', 131],
    ['last.IMA', '', 40],
  ])('is refused, not passed over: %s beside %s', async (name, other, length) => {
    const target = mkdtempSync(join(folder, 'lost-'));
    const slice = (of: string) => readFileSync(referenceFile(`dicom/slopes/${of}.dcm`));
    for (const of of ['IM0000', 'IM0003', 'IM0006'])
      writeFileSync(join(target, other ? of : `${of}.dcm`), slice(of));
    writeFileSync(join(target, 'notes.txt'), 'no slice');
    await readVolume(target);
    writeFileSync(join(target, name), slice('IM0002').subarray(0, length));
    await expect(readVolume(target)).rejects.toThrow(
      new RegExp(`${name} is damaged or no DICOM file, though `),
    );
  });
});
