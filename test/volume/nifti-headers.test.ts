import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { headerOddities, openSlices, readVolume } from '../../src/volume/index.js';
import { largestDifference, readReference, referenceFile } from './references.js';

/** What a reader makes of a file; `null` stands for a number that is not finite. */
type Reading =
  | { readonly affine: readonly number[]; readonly voxels: readonly number[]; readonly error?: never }
  | { readonly error: string };
type Reader = 'nibabel' | 'itk' | 'monai';

/** Made by `test/parity/volume/make_header_references.py`. */
const { references } =
  readReference<Readonly<{ references: Record<string, Record<Reader, Reading>> }>>('headers.json');
const file = (name: string) => referenceFile(join('headers', `${name}.nii`));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-headers-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Read as one of the readers does, and what `prepare --check` says about it. */
const read: readonly (readonly [name: string, as: Reader, oddities: readonly RegExp[]])[] = [
  ...['', '-be', '-2', '-2-be'].flatMap((kind) => {
    // ITK does not read NIfTI-2: the same place in NIfTI-1 is the reference there.
    const unit = (name: string) => (kind.startsWith('-2') ? [`${name}${kind}`, name] : [`${name}${kind}`]);
    return [
      [unit('plain').join('='), 'nibabel', []],
      [unit('metres').join('='), 'itk', [/xyzt_units says metres, which were converted to millimetres/]],
      [unit('micrometres').join('='), 'itk', [/xyzt_units says micrometres, which were converted/]],
      [unit('unknown-unit').join('='), 'nibabel', [/xyzt_units has the code 0 .*, which is unknown/]],
    ] as const;
  }),
  ['micrometres-seconds', 'itk', [/says micrometres/]],
  ['micrometres-qform', 'itk', [/says micrometres/]],
  ['undefined-unit', 'nibabel', [/xyzt_units has the code 5 .*, which is none that NIfTI defines/]],
  ['pixdim-0-sform', 'nibabel', [/pixdim\[2\] is 0, .* the spacing of the sform is used/]],
  ['pixdim-nan-sform', 'nibabel', [/pixdim\[3\] is NaN/]],
  ['pixdim-inf-sform', 'nibabel', [/pixdim\[1\] is Infinity/]],
  ['pixdim-negative-sform', 'nibabel', [/pixdim\[1\] is -0.8.*; its sign is passed over/]],
  ['pixdim-negative-qform', 'nibabel', [/pixdim\[1\] is -0.8.*; its sign is passed over/]],
  ['pixdim-negative-neither', 'nibabel', [/its sign is passed over/, /are both 0/]],
  ['neither', 'nibabel', [/sform_code and qform_code are both 0, .* set an sform, or check the orientation/]],
  [
    'sform-not-pixdim',
    'nibabel',
    [/pixdim says a spacing of 1.6 x 1.8 x 4 mm, but the sform 0.8 x 0.9 x 2 mm; .* find out which/],
  ],
  ['sform-not-pixdim-alone', 'nibabel', [/pixdim says a spacing of 0.8 x 0.9 x 2.5 mm, but the sform/]],
  ['sform-not-qform', 'nibabel', [/are both set and disagree, by 33.9.* mm at .* and 24 degrees between/]],
  ['sform-not-qform-same-code', 'nibabel', [/sform and qform are both set and disagree/]],
  ['sform-not-qform-half-degree', 'nibabel', [/disagree, by 0 mm at .* and 0.5 degrees/]],
  ['sform-not-qform-be', 'nibabel', [/sform and qform are both set and disagree/]],
  ['sform-not-qform-2', 'nibabel', [/sform and qform are both set and disagree/]],
  ['sform-moved', 'nibabel', [/disagree, by 0.173 mm at the first voxel and 0 degrees/]],
  ['sform-flipped', 'nibabel', [/disagree, by 0 mm at the first voxel and 180 degrees/]],
  ['sform-sheared', 'nibabel', [/sform and qform are both set and disagree/]],
  ['quaternion-too-long-sform', 'nibabel', [/quatern_b, c and d are 0.9, 0.9, 0.9; the sform is used/]],
  ['slope-2-intercept-5', 'nibabel', []],
  ['slope-nan-intercept-nan', 'nibabel', []],
  ['slope-0-intercept-0', 'nibabel', []],
  ['slope-nan-intercept-0', 'itk', [/scl_slope is NaN and scl_inter 0; values are taken as stored/]],
  ['slope-0-intercept-nan', 'itk', [/scl_slope is 0 and scl_inter NaN; values are taken as stored/]],
  ['slope-0-intercept-5', 'nibabel', [/is 0 and scl_inter 5; values are taken as stored, .* ITK adds/]],
];

const refused: readonly (readonly [name: string, sentence: RegExp])[] = [
  ['pixdim-0-qform', /pixdim\[2\] is 0; expected .* finite number above 0, so fix pixdim in the header$/],
  ['pixdim-nan-qform', /pixdim\[3\] is NaN; expected the distance of voxels along z/],
  ['pixdim-inf-qform', /pixdim\[1\] is Infinity; expected/],
  ['pixdim-0-neither', /pixdim\[2\] is 0; expected/],
  ['pixdim-nan-neither', /pixdim\[3\] is NaN; expected/],
  ['pixdim-inf-neither', /pixdim\[1\] is Infinity; expected/],
  ['pixdim-0-qform-2', /pixdim\[2\] is 0; expected/],
  ['sform-zero', /affine .* is singular; .* fix sform or qform in the header, of which the sform counts/],
  ['sform-nan', /the affine \[NaN, .* is singular/],
  ['quaternion-too-long', /quatern_b, c and d are 0.9, 0.9, 0.9; expected .* 1 at most, so fix qform in the/],
  ['quaternion-nan', /quatern_b, c and d are NaN, 0, 0; expected/],
  [
    'slope-nan-intercept-5',
    /scl_slope is NaN and scl_inter 5; expected two finite numbers or neither, .* fix scl_slope/,
  ],
  ['slope-2-intercept-nan', /scl_slope is 2 and scl_inter NaN; expected .*, so fix scl_inter in the header$/],
  ['slope-inf-intercept-5', /scl_slope is Infinity and scl_inter 5; expected/],
  ['slope-2-intercept-inf', /scl_slope is 2 and scl_inter Infinity; expected/],
  ['slope-2-intercept-nan-2', /scl_slope is 2 and scl_inter NaN; expected/],
  [
    'offset-100',
    /vox_offset is 100; expected the byte at which voxels begin, 352 or more, so fix vox_offset/,
  ],
  ['offset-nan', /vox_offset is NaN; expected/],
];

/** The numbers of a reading that is no error. */
function reading(name: string, reader: Reader): { affine: readonly number[]; voxels: readonly number[] } {
  const found = references[`${name}.nii`]![reader];
  if (found.error !== undefined) throw new Error(`${reader} does not read ${name}: ${found.error}`);
  return found;
}

describe('an odd NIfTI header', () => {
  it.each(read)('of %s is read as %s reads it, and --check says so', async (names, reader, oddities) => {
    const [name, of = name] = names.split('=') as [string, string?];
    const expected = reading(of, reader);
    const { affine, data, spacing } = await readVolume(file(name));
    const scale = Math.max(1, ...expected.affine.map(Math.abs));
    expect(largestDifference(affine.rows, expected.affine)).toBeLessThan(1e-6 * scale);
    expect(largestDifference(data, expected.voxels)).toBe(0);
    const inSlices = await openSlices(file(name));
    expect([inSlices.affine, inSlices.spacing]).toEqual([affine, spacing]);
    const said = await headerOddities(file(name));
    expect(said.length, said.join('\n')).toBe(oddities.length);
    for (const [i, sentence] of oddities.entries()) {
      expect(said[i]).toMatch(sentence);
      expect(said[i]!.startsWith(`${file(name)}: `)).toBe(true);
    }
  });

  it.each(refused)('of %s is refused in one sentence', async (name, sentence) => {
    const error: unknown = await readVolume(file(name)).catch((caught: unknown) => caught);
    if (!(error instanceof DataError)) throw new Error(`expected a DataError, found ${error}`);
    expect(error.message).toMatch(sentence);
    expect(error.message.startsWith(`${file(name)}: `)).toBe(true);
    expect(error.facts.file).toBe(file(name));
  });

  it('whose voxels begin at byte 0 has them right after the header, in NIfTI-1 and NIfTI-2', async () => {
    for (const kind of ['', '-2']) {
      const { data } = await readVolume(file(`offset-0${kind}`));
      expect([...data]).toEqual(reading('plain', 'nibabel').voxels);
      expect(await headerOddities(file(`offset-0${kind}`))).toEqual([
        expect.stringMatching(/vox_offset is 0; voxels are taken from byte (352|544) on, right after/),
      ]);
    }
  });

  it('of each reference file is in one of the two lists', () => {
    const listed = [...read, ...refused].flatMap(([name]) => name.split('='));
    const others = ['micrometres-neither', 'offset-0', 'offset-0-2'];
    const all = Object.keys(references).map((name) => basename(name, '.nii'));
    expect([...new Set([...listed, ...others])].sort()).toEqual(all.sort());
  });

  it('without either form is converted to millimetres around the same centre', async () => {
    const { affine, spacing } = await readVolume(file('micrometres-neither'));
    expect(largestDifference(spacing, [0.0008, 0.0009, 0.002])).toBeLessThan(1e-9);
    const inMm = reading('neither', 'nibabel').affine.map((n) => n / 1000);
    expect(largestDifference(affine.rows, inMm)).toBeLessThan(1e-9);
  });
});

describe('the unit of a header', () => {
  it('moves every voxel by its factor alone, whatever forms are set and in whatever way bytes are ordered', async () => {
    const kinds = fc.record({
      kind: fc.constantFrom('plain', 'plain-be', 'plain-2', 'plain-2-be'),
      code: fc.constantFrom([1, 1000], [2, 1], [3, 0.001]),
      time: fc.constantFrom(0, 8, 16, 24),
      sform: fc.boolean(),
      qform: fc.boolean(),
    });
    const at = {
      first: { units: 123, qform: 252, sform: 254 },
      second: { units: 500, qform: 344, sform: 348 },
    };
    await fc.assert(
      fc.asyncProperty(kinds, async ({ kind, code: [code, mm], time, sform, qform }) => {
        const place = async (unit: number) => {
          const bytes = readFileSync(file(kind));
          const [big, second] = [kind.endsWith('be'), kind.includes('-2')];
          const put = (offset: number, value: number) => {
            const lowest = big ? offset + (second ? 3 : 1) : offset;
            bytes.fill(0, offset, offset + (second ? 4 : 2));
            bytes[lowest] = value;
          };
          const bytesAt = second ? at.second : at.first;
          if (second) put(bytesAt.units, unit + time);
          else bytes[bytesAt.units] = unit + time;
          if (!sform) put(bytesAt.sform, 0);
          if (!qform) put(bytesAt.qform, 0);
          const changed = join(folder, 'unit.nii');
          writeFileSync(changed, bytes);
          return (await readVolume(changed)).affine.rows;
        };
        const expected = (await place(2)).map((n) => n * mm!);
        expect(largestDifference(await place(code!), expected)).toBeLessThan(1e-9 * mm!);
      }),
      { numRuns: 60 },
    );
  });
});
