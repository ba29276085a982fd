import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { headerOddities, openSlices, readVolume } from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_dicom_kind_references.py` with pydicom and SimpleITK. */
const { references } = readReference<{
  references: Readonly<
    Record<string, { readonly affine: readonly number[]; readonly values: string; readonly itk: string }>
  >;
}>('dicom-kinds.json');
const series = (name: string) => referenceFile(join('dicom-kinds', name));

/** Of which readers differ, or which say less than the others: they have a finding. */
const odd: Readonly<Record<string, RegExp>> = {
  monochrome1: /IM0000.dcm: PhotometricInterpretation is MONOCHROME1, .* ITK turns them round: check/,
  'slope-missing-in-some': /IM0003.dcm: 1 of 4 slices have no RescaleSlope and RescaleIntercept, which/,
};

describe('a DICOM series', () => {
  it.each(Object.entries(references))(
    'has the place and values of %s as pydicom reads them, whole and slice by slice',
    async (name, expected) => {
      const { affine, data } = await readVolume(series(name));
      expect(largestDifference(affine.rows, expected.affine)).toBeLessThan(1e-6);
      const values = decodeFloats(expected.values);
      const largest = Math.max(...values.map(Math.abs));
      expect(largestDifference(data, values)).toBeLessThanOrEqual(3e-7 * largest);
      const sliced: number[] = [];
      for await (const slice of (await openSlices(series(name))).slices()) sliced.push(...slice);
      expect(sliced).toEqual([...data]);
    },
  );

  it.each(Object.keys(references))('says what is odd about %s, and nothing else', async (name) => {
    const oddities = await headerOddities(series(name));
    expect(oddities).toEqual(odd[name] ? [expect.stringMatching(odd[name])] : []);
  });

  it('is read differently by SimpleITK for reasons that are known', () => {
    const differing = Object.keys(references).filter((name) => references[name]?.itk !== 'same');
    expect(differing).toEqual([
      'enhanced-downwards', // frames in the order of the file, whose place is then that of another
      'enhanced-mr-slopes', // the slope of the first frame for all
      'enhanced-shuffled',
      'jpeg-2000-12-bits-slopes', // the slope of the first slice for all
      'mixed-signs', // the sign of the first slice for all
      'monochrome1', // values turned round
      'rle',
      'without-meta-big-endian', // not read
      'without-preamble',
      'without-preamble-implicit',
    ]);
  });
});
