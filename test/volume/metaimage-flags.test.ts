import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { headerOddities, openSlices, readVolume } from '../../src/volume/index.js';
import { largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_metaimage_references.py`; `itk` is null where SimpleITK reads other values. */
const { references } = readReference<{
  references: Readonly<
    Record<string, { readonly itk: readonly number[] | null; readonly values: readonly number[] }>
  >;
}>('metaimage.json');
const file = (name: string) => referenceFile(join('metaimage', name));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-flags-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A file of the references with other lines in its header. */
function edited(name: string, from: RegExp, to: string, of = 'neither.mha'): string {
  const text = readFileSync(file(of), 'latin1');
  if (!from.test(text)) throw new Error(`${of} has nothing like ${from}`);
  writeFileSync(join(folder, name), Buffer.from(text.replace(from, to), 'latin1'));
  return join(folder, name);
}

describe('a MetaImage', () => {
  it.each(Object.entries(references))(
    'has the values of %s, whole and in slices',
    async (name, { values }) => {
      const whole = await readVolume(file(name));
      expect([...whole.data]).toEqual(values);
      // Columns are directions times spacing, LPS to RAS.
      const affine = [-0.5, 0, 0, -1, 0, -0.9, 2, 2, 0, 1.2, 1.5, 3];
      expect(largestDifference(whole.affine.rows, affine)).toBeLessThan(1e-12);
      const { slices, ...sliced } = await openSlices(file(name));
      expect(largestDifference(sliced.affine.rows, affine)).toBeLessThan(1e-12);
      const found: number[] = [];
      for await (const slice of slices()) found.push(...slice);
      expect(found).toEqual(values);
    },
  );

  it('has a finding just where ITK reads something else', async () => {
    for (const [name, { itk }] of Object.entries(references)) {
      const sentence = expect.stringMatching(/which ITK (passes over|takes for (False|the name of a file))$/);
      expect(await headerOddities(file(name)), name).toEqual(itk === null ? [sentence] : []);
    }
  });

  it.each<[string, RegExp, string, RegExp]>([
    [
      'a flag that is none',
      /BinaryData = True/,
      'BinaryData = True\nElementByteOrderMSB = perhaps',
      /ElementByteOrderMSB is "perhaps"; expected True or False/,
    ],
    [
      'an empty flag',
      /BinaryData = True/,
      'BinaryData = True\nBinaryDataByteOrderMSB =',
      /BinaryDataByteOrderMSB is ""; expected True or False/,
    ],
    [
      'a flag that is no compression',
      /BinaryData = True/,
      'CompressedData = zip',
      /CompressedData is "zip"; expected/,
    ],
    [
      'two byte orders',
      /BinaryData = True/,
      'BinaryDataByteOrderMSB = True\nElementByteOrderMSB = False',
      /contradict each other; expected one order of bytes/,
    ],
  ])('with %s is refused in one sentence', async (what, from, to, sentence) => {
    const name = edited(`${what.replaceAll(' ', '-')}.mha`, from, to);
    for (const read of [readVolume, openSlices]) {
      await expect(read(name)).rejects.toBeInstanceOf(DataError);
      await expect(read(name)).rejects.toThrow(sentence);
    }
  });

  it('of any type is read where ITK would take a flag for something else', async () => {
    const spellings: readonly (readonly [from: RegExp, to: string])[] = [
      [/ElementByteOrderMSB = True/, 'ElementByteOrderMSB = Yes'],
      [/ElementByteOrderMSB/, 'elementbyteordermsb'],
      [/TransformMatrix/, 'transformMatrix'],
      [/LOCAL/, 'LoCaL'],
    ];
    for (const [i, [from, to]] of spellings.entries()) {
      for (const of of ['channels', 'f8']) {
        const name = edited(`${of}-${i}.mha`, from, to, `ElementByteOrderMSB-${of}.mha`);
        const { values } = references[`ElementByteOrderMSB-${of}.mha`]!;
        expect([...(await readVolume(name)).data]).toEqual(values);
        expect(await headerOddities(name)).toEqual([expect.stringMatching(/which ITK (passes|takes)/)]);
      }
    }
  });

  it('of voxels written out as text is refused where ITK would take a flag for something else', async () => {
    const name = edited('text.mha', /BinaryData = True/, 'binarydata = False');
    await expect(readVolume(name)).rejects.toBeInstanceOf(DataError);
    await expect(readVolume(name)).rejects.toThrow(
      /only ITK can read voxels that are written out as text: spell/,
    );
  });

  it.each<[string, number, RegExp | undefined]>([
    ['DistanceUnits = mm', 1, undefined],
    ['DistanceUnits = ?', 1, undefined],
    ['DistanceUnits = um', 1e-3, /DistanceUnits is "um", which was converted to millimetres; ITK does not/],
    ['DistanceUnits = cm', 10, /was converted/],
    ['DistanceUnits = ell', 1, /"ell", and no unit that MetaImage has; millimetres are taken/],
    ['ElementToIntensityFunctionSlope = 2', 1, /ElementToIntensityFunctionSlope; values are taken as stored/],
    ['ElementToIntensityFunctionSlope = 1', 1, undefined],
    ['ElementToIntensityFunctionOffset = 0', 1, undefined],
    ['ElementToIntensityFunctionOffset = 7', 1, /ElementToIntensityFunctionOffset; values are taken/],
  ])('with %s is in millimetres, and a finding where readers differ', async (line, mm, sentence) => {
    for (const of of ['neither.mha', 'data-LOCAL-channels.mha']) {
      const name = edited('unit.mha', /DimSize/, `${line}\nDimSize`, of);
      const inMm = (await readVolume(file('neither.mha'))).affine.rows.map((n) => n * mm);
      expect(largestDifference((await readVolume(name)).affine.rows, inMm)).toBeLessThan(1e-12);
      expect(largestDifference((await openSlices(name)).affine.rows, inMm)).toBeLessThan(1e-12);
      expect(await headerOddities(name)).toEqual(sentence ? [expect.stringMatching(sentence)] : []);
    }
  });

  it('means the same in any case of its keys and flags', async () => {
    const cased = (text: string) =>
      fc
        .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
        .map((upper) => [...text].map((c, i) => (upper[i] ? c.toUpperCase() : c.toLowerCase())).join(''));
    const line = fc.record({
      key: fc.constantFrom('BinaryDataByteOrderMSB', 'ElementByteOrderMSB').chain(cased),
      flag: fc.constantFrom('true', 't', '1', 'yes', 'y', 'on').chain(cased),
      separator: fc.constantFrom(' = ', '=', ': ', ' =  '),
    });
    const { values } = references['ElementByteOrderMSB-True.mha']!;
    await fc.assert(
      fc.asyncProperty(line, async ({ key, flag, separator }) => {
        const of = 'ElementByteOrderMSB-True.mha';
        const name = edited('cased.mha', /ElementByteOrderMSB = True/, `${key}${separator}${flag}`, of);
        expect([...(await readVolume(name)).data]).toEqual(values);
      }),
      { numRuns: 50 },
    );
  });
});
