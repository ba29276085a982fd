import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DataError } from '../../src/errors.js';
import { headerOddities, openSlices, readVolume } from '../../src/volume/index.js';
import { largestDifference, readReference } from './references.js';

const readingSchema = z.object({ affine: z.array(z.number()).length(12), values: z.array(z.number()) });
const caseSchema = z.object({
  ending: z.string(),
  header: z.string(),
  data: z.base64(),
  /** Of the voxels, where they are not in the header's. */
  file: z.string().optional(),
  itk: readingSchema.nullable(),
  nibabel: readingSchema.optional(),
});

/** Made by `test/parity/volume/make_sibling_references.py` with SimpleITK and nibabel. */
const { cases } = z.object({ cases: z.record(z.string(), caseSchema) }).parse(readReference('siblings.json'));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-siblings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, edit: (header: string) => string = (header) => header, data?: Buffer): string {
  const { header, ending, file, ...found } = cases[name]!;
  const path = join(mkdtempSync(join(folder, 'case-')), `scan${ending}`);
  const voxels = data ?? Buffer.from(found.data, 'base64');
  const text = Buffer.from(edit(header), 'latin1');
  writeFileSync(path, file === undefined ? Buffer.concat([text, voxels]) : text);
  if (file !== undefined) {
    mkdirSync(dirname(join(dirname(path), file)), { recursive: true });
    writeFileSync(join(dirname(path), file), voxels);
  }
  return path;
}

/** Refused, and why. */
const refused: Readonly<Record<string, RegExp>> = {
  'spacing with commas': /ElementSpacing is "0,5 0,7 2"; expected 3 numbers with blanks/,
  'two numbers of three': /Offset is "1 2"; expected 3 numbers/,
  'more sizes than axes': /NDims is 3, but DimSize has 4 numbers/,
  'fewer axes than sizes': /NDims is 2, but DimSize has 3 numbers/,
  'HeaderSize of voxels that follow':
    /HeaderSize is 16, but the voxels follow the header, which has \d+ bytes/,
  'a field twice': /"space origin" stands twice in the header, as "\(-3,4,5\)" and as "\(1,2,3\)"/,
  'no endian': /endian is missing; expected little or big, since a voxel has 2 bytes/,
  'no encoding': /encoding is missing; expected raw, gzip or text/,
  'more axes than sizes': /dimension is 4, but sizes has 3 numbers/,
  'time first': /kinds is "time domain domain domain", but .* expected "list domain domain domain"/,
  'time last': /makes axes 1, 2, 3 of 4 those of space .* expected "domain domain domain list"/,
  'domain first': /expected "list domain domain domain"/,
  'domain last': /expected "domain domain domain list"/,
  '??? first': /expected "list domain domain domain"/,
  '??? last': /expected "domain domain domain list"/,
  'no kinds of four': /kinds is missing, but .* expected "list domain domain domain"/,
  'a list with a direction': /kinds is "domain domain list", but .* expected "domain domain domain"/,
  'five axes': /has 5 axes \(2x1x5x4x3\); expected 3 of space, and a fourth for channels/,
};

/** Read, with a finding: what readers take differently, or what the header says twice or not at all. */
const found: Readonly<Record<string, RegExp>> = {
  'TransformMatrix and Rotation':
    /TransformMatrix and Rotation stand for the same .* TransformMatrix is taken/,
  'Rotation and Orientation': /Rotation is taken, as ITK does/,
  'Offset and Position': /Offset is taken, as ITK does/,
  'Origin and Offset': /Origin is taken, as ITK does/,
  'Position and Origin': /Origin is taken, as ITK does/,
  'ElementSize and ElementSpacing': /ElementSpacing is taken, as ITK does/,
  'no spacing': /has no ElementSpacing; 1 mm is taken/,
  'key rotation': /"rotation" is read as Rotation, which ITK passes over/,
  'key POSITION': /"POSITION" is read as Position/,
  'key origin': /"origin" is read as Origin/,
  'key elementsize': /"elementsize" is read as ElementSize/,
  'key dimsize': /"dimsize" is read as DimSize/,
  'no origin': /no "space origin"; 0 is taken/,
  'pixdim[0] -2': /pixdim\[0\] is -2, and should be 1 or -1; it is taken as -1, as ITK/,
  'pixdim[0] -0.5': /pixdim\[0\] is -0.5/,
  'pixdim[0] -inf': /pixdim\[0\] is -Infinity/,
  'pixdim[0] -2 with an sform': /sform and qform are both set and disagree/,
  'qform_code 4 a voxel aside': /disagree, by 0.5 mm at the first voxel/,
  'sform_code 4 and qform a voxel aside': /disagree, by 0.5 mm at the first voxel/,
  'slope below what ITK takes': /scl_slope is 9.99\S*e-21; it is applied, as nibabel does/,
};

describe('a header that says the usual in a less usual way', () => {
  it.each(Object.keys(cases))('is read as others read it, or refused, or has a finding: %s', async (name) => {
    const file = written(name);
    if (refused[name]) {
      await expect(readVolume(file)).rejects.toBeInstanceOf(DataError);
      await expect(readVolume(file)).rejects.toThrow(refused[name]);
      return;
    }
    const { affine, data } = await readVolume(file);
    const sliced: number[] = [];
    for await (const slice of (await openSlices(file)).slices()) sliced.push(...slice);
    expect(sliced).toEqual([...data]);
    expect(await headerOddities(file)).toEqual(found[name] ? [expect.stringMatching(found[name])] : []);
    const { itk, nibabel } = cases[name]!;
    // What has a finding may differ from one reader, and what readers call a key otherwise from ITK.
    const equal = [itk, nibabel].filter(
      (reading) =>
        reading &&
        largestDifference(affine.rows, reading.affine) < 1e-6 &&
        largestDifference(data, reading.values) <= 1e-6 * Math.abs(data[0] ?? 0),
    );
    const all = nibabel && !found[name] ? 2 : 1;
    if (!name.startsWith('key ')) expect(equal.length).toBeGreaterThanOrEqual(all);
  });

  it.each([
    ['rotation', [0, 0.7, 0, 3, -0.5, 0, 0, -4, 0, 0, 2, 5]],
    ['POSITION', [-0.5, 0, 0, -1, 0, -0.7, 0, -2, 0, 0, 2, 3]],
    ['origin', [-0.5, 0, 0, -1, 0, -0.7, 0, -2, 0, 0, 2, 3]],
    ['elementsize', [-1, 0, 0, 3, 0, -2, 0, -4, 0, 0, 3, 5]],
  ])('says the same whatever the case of its keys: %s', async (key, affine) => {
    const { affine: read } = await readVolume(written(`key ${key}`));
    expect(largestDifference(read.rows, affine)).toBeLessThan(1e-12);
  });
});

describe('a packed MetaImage whose CompressedDataSize', () => {
  const { itk } = cases.packed!;
  it.each([
    ['is missing', ''],
    ['is too small', 'CompressedDataSize = 50\n'],
    ['is too large', 'CompressedDataSize = 9999\n'],
  ])('%s has all its voxels, in short and in double', async (_, line) => {
    for (const name of ['packed', 'MET_DOUBLE, MSB False, packed', 'MET_LONG, MSB True, packed']) {
      const file = written(name, (header) => header.replace(/CompressedDataSize = \d+\n/, line));
      const { values } = cases[name]!.itk!;
      expect([...(await readVolume(file)).data]).toEqual(values);
    }
  });

  it('is missing is refused where its bytes are damaged', async () => {
    const data = deflateSync(Buffer.from(Int16Array.from(itk!.values).buffer));
    data[20]! ^= 0x55;
    await expect(readVolume(written('packed', undefined, data))).rejects.toBeInstanceOf(DataError);
  });
});
