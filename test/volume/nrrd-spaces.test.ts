import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { headerOddities, openSlices, readVolume } from '../../src/volume/index.js';
import { nrrdGeometry } from '../../src/volume/nrrd-geometry.js';
import { largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_space_references.py` with SimpleITK. */
const { references } = readReference<{
  references: Readonly<
    Record<string, { readonly affine: readonly number[]; readonly values: readonly number[] }>
  >;
}>('spaces.json');
const file = (name: string) => referenceFile(join('spaces', name));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-spaces-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `las.nrrd` with other lines in its header. */
function edited(name: string, from: RegExp, to: string): string {
  const text = readFileSync(file('las.nrrd'), 'latin1');
  if (!from.test(text)) throw new Error(`las.nrrd has nothing like ${from}`);
  writeFileSync(join(folder, name), Buffer.from(text.replace(from, to), 'latin1'));
  return join(folder, name);
}

describe('a NRRD', () => {
  it.each(Object.entries(references))(
    'puts the voxels of %s where SimpleITK does',
    async (name, expected) => {
      const whole = await readVolume(file(name));
      expect(largestDifference(whole.affine.rows, expected.affine)).toBeLessThan(1e-9);
      expect(largestDifference(whole.data, expected.values)).toBe(0);
      const sliced = await openSlices(file(name));
      expect([sliced.affine, sliced.spacing, sliced.size]).toEqual([whole.affine, whole.spacing, whole.size]);
      const values: number[] = [];
      for await (const slice of sliced.slices()) values.push(...slice);
      expect(values).toEqual(expected.values);
    },
  );

  it('has no finding where its space says left and front, and one where it does not', async () => {
    for (const name of Object.keys(references)) {
      const open = /^(open|scanner|3D|no-space)/.test(name);
      const sentence = expect.stringMatching(/space.*left-posterior-superior is taken, as ITK does/);
      expect(await headerOddities(file(name)), name).toEqual(open ? [sentence] : []);
    }
  });

  it.each<[string, RegExp, string, RegExp]>([
    [
      'a space that is none',
      /space: .*/,
      'space: left-posterior-inferior',
      /"space" is "left-posterior-inferior"; expected/,
    ],
    [
      'two directions',
      /directions: \S+/,
      'directions: none',
      /"space directions" is .*; expected the directions of three axes/,
    ],
    [
      'too few directions',
      /directions: \S+/,
      'directions:',
      /expected "none" or 3 numbers in brackets for each of 3 axes/,
    ],
    [
      'a direction of words',
      /directions: \S+/,
      'directions: (a,b,c)',
      /expected the directions of three axes/,
    ],
    ['a direction of two numbers', /directions: \S+/, 'directions: (1,0)', /"none" or 3 numbers in brackets/],
    [
      'a direction of one number',
      /directions: \S+/,
      'directions: (1,nan,0)',
      /"none" or 3 numbers in brackets/,
    ],
    [
      'directions that lie in a plane',
      /directions: \S+/,
      'directions: (0.2,-0.4,2.5)',
      /affine .* is singular/,
    ],
    [
      'an origin of two numbers',
      /origin: .*/,
      'origin: (1,2)',
      /"space origin" is "\(1,2\)"; expected 3 numbers/,
    ],
  ])('with %s is refused in one sentence', async (what, from, to, sentence) => {
    const name = edited(`${what.replaceAll(' ', '-')}.nrrd`, from, to);
    for (const read of [readVolume, openSlices]) {
      await expect(read(name)).rejects.toBeInstanceOf(DataError);
      await expect(read(name)).rejects.toThrow(sentence);
    }
  });

  it('with an axis of space that moves in time is refused', async () => {
    const text = readFileSync(file('LAST.nrrd'), 'latin1').replace('(0.8,0.1,0,0)', '(0.8,0.1,0,1)');
    const name = join(folder, 'moving.nrrd');
    writeFileSync(name, Buffer.from(text, 'latin1'));
    await expect(readVolume(name)).rejects.toThrow(/expected the directions of three axes of space/);
  });

  it.each<[string, number, RegExp | undefined]>([
    ['"um" "um" "um"', 1e-3, /"um" "um" "um", which was converted to millimetres/],
    ['"\u00b5m" "\u00b5m" "\u00b5m"', 1e-3, /was converted/],
    ['"m" "m" "m"', 1000, /was converted/],
    ['"\u00c2\u00b5m" "\u00c2\u00b5m" "\u00c2\u00b5m"', 1e-3, /was converted/],
    ['"cm" "cm" "cm"', 10, /was converted/],
    ['"mm" "mm" "mm"', 1, undefined],
    ['"" "" ""', 1, undefined],
    ['"parsec" "mm" "mm"', 1, /and not three units of length; millimetres are taken/],
  ])('in %s is converted to millimetres or found', async (units, mm, sentence) => {
    const name = edited('units.nrrd', /endian:/, `space units: ${units}\nendian:`);
    const inMm = references['las.nrrd']!.affine.map((n) => n * mm);
    expect(largestDifference((await readVolume(name)).affine.rows, inMm)).toBeLessThan(1e-9 * mm);
    expect(await headerOddities(name)).toEqual(sentence ? [expect.stringMatching(sentence)] : []);
  });

  it('without an origin or with names in one word is read, and without directions it has a finding', async () => {
    const without = edited('origin.nrrd', /space origin: .*\n/, '');
    const { affine } = await readVolume(without);
    const moved = references['las.nrrd']!.affine.map((n, i) => (i % 4 === 3 ? 0 : n));
    expect(largestDifference(affine.rows, moved)).toBeLessThan(1e-9);
    expect(await headerOddities(without)).toEqual([expect.stringMatching(/no "space origin"; 0 is taken/)]);
    const joined = edited('joined.nrrd', /space directions/, 'spacedirections');
    expect((await openSlices(joined)).affine).toEqual((await openSlices(file('las.nrrd'))).affine);
    const spacings = edited('spacings.nrrd', /space: .*\n|space directions: .*\n/g, '');
    expect(await headerOddities(spacings)).toEqual([expect.stringMatching(/no "space directions", so that/)]);
  });

  it.each<[string, number, RegExp[]]>([
    ['units: "um" "um" "um"', 0.5, [/"units" is "um" "um" "um", which was converted to millimetres/]],
    ['units: "cm" "cm" "cm"', 5000, [/"units" is "cm" "cm" "cm", which was converted/]],
    ['units: "mm" "mm" "mm"', 500, []],
    ['units: "" "" ""', 500, []],
    ['units: "um" "s" "um"', 500, [/"units" is "um" "s" "um", and not three units of length/]],
    ['content: none', 500, []],
  ])('without directions has spacings in the units of its axes: %s', async (line, mm, sentences) => {
    const name = edited('axes.nrrd', /space: .*\n|space directions: .*\n|space origin: .*\n/g, '');
    const text = readFileSync(name, 'latin1').replace('endian:', `spacings: 500 500 500\n${line}\nendian:`);
    writeFileSync(name, Buffer.from(text, 'latin1'));
    for (const read of [readVolume, openSlices]) {
      const { affine, spacing } = await read(name);
      expect(largestDifference(affine.rows, [-mm, 0, 0, 0, 0, -mm, 0, 0, 0, 0, mm, 0])).toBeLessThan(
        1e-9 * mm,
      );
      expect(largestDifference(spacing, [mm, mm, mm])).toBeLessThan(1e-9 * mm);
    }
    expect(await headerOddities(name)).toEqual([
      expect.stringMatching(/no "space directions"/),
      ...sentences.map((sentence) => expect.stringMatching(sentence)),
    ]);
  });

  it('has coordinates of either sign for each letter of its space, whatever the directions', () => {
    const number = fc.integer({ min: -50, max: 50 }).map((n) => n / 10);
    const vector = fc.tuple(number, number, number);
    const letters = fc.constantFrom(['RAS', 1, 1], ['LAS', -1, 1], ['LPS', -1, -1]);
    fc.assert(
      fc.property(letters, vector, vector, ([space, r, a], [tx, ty, tz], [ox, oy, oz]) => {
        const affineIn = (name: string, time: string) =>
          nrrdGeometry('f', {
            sizes: time ? [2, 2, 2, 2] : [2, 2, 2],
            fields: new Map([
              ['space', name],
              [
                'space directions',
                `(${10 + tx},0,${ty}${time}) (0,${20 + ty},${tz}${time}) (${tx},0,${30 + tz}${time})${time && ' (0,0,0,1)'}`,
              ],
              ['space origin', `(${ox},${oy},${oz}${time})`],
            ]),
          })?.affine.rows;
        const inRas = affineIn('RAS', '');
        expect(affineIn(`${space}`, '')).toEqual(
          inRas?.map((n, i) => 0 + n * (i < 4 ? Number(r) : i < 8 ? Number(a) : 1)),
        );
        expect(affineIn(`${space}T`, ',0')).toEqual(affineIn(`${space}`, ''));
      }),
    );
  });
});

describe('the header of a NRRD', () => {
  it.each<[string, RegExp, string, RegExp]>([
    [
      'a line that is no field',
      /^space: /m,
      'spa e: ',
      /the line "spa e: .*" of its header is no field of NRRD/,
    ],
    [
      'a line without a colon',
      /^sizes: /m,
      'sizes ',
      /the line "sizes .*" of its header is no field of NRRD/,
    ],
    [
      'a comment that lost its mark',
      /^type: /m,
      'Complete NRRD file\ntype: ',
      /of its header is no field of NRRD: the header is damaged/,
    ],
    ['no encoding', /^encoding: .*\n/m, '', /encoding is missing; expected raw, gzip or text/],
    ['no dimension', /^dimension: .*\n/m, '', /its header has no "dimension", which NRRD requires/],
    ['another dimension', /^dimension: 3/m, 'dimension: 4', /dimension is 4, but sizes has 3 numbers/],
    [
      'two values of a field',
      /^(type: )/m,
      'type: float\ntype: ',
      /"type" stands twice in the header, as "float" and as "/,
    ],
  ])('is refused with %s, whole and slice by slice', async (what, from, to, sentence) => {
    const path = edited(`${what.replaceAll(' ', '-')}.nrrd`, from, to);
    await expect(readVolume(path)).rejects.toThrow(sentence);
    await expect(openSlices(path)).rejects.toThrow(sentence);
    await expect(readVolume(path)).rejects.toBeInstanceOf(DataError);
  });

  it('may hold keys of its own, also one that is named as a field, and a field twice with one value', async () => {
    const own = edited(
      'own.nrrd',
      /^(encoding: .*)\n/m,
      '$1\nModality:=CT\ntype:=mine\n$1\nmeasurement frame: none\n',
    );
    expect((await readVolume(own)).data).toEqual((await readVolume(file('las.nrrd'))).data);
  });
});
