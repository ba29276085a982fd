import { cpSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import {
  type Grid,
  headerOddities,
  openLabelSlices,
  openSlices,
  readLabel,
  readVolume,
  shiftAffine,
} from '../../src/volume/index.js';
import { decodeFloats, largestDifference, readReference, referenceFile } from './references.js';

/** Made by `test/parity/volume/make_dicom_label_references.py` with highdicom, rt-utils and scikit-image. */
const { references } = readReference<{
  references: Readonly<
    Record<string, { readonly image: string; readonly values: string; readonly needed?: readonly number[] }>
  >;
}>('dicom-labels.json');
const file = (name: string) => referenceFile(join('dicom-labels', name));
const neededBy = (numbers: readonly number[] | undefined) =>
  numbers && ((value: number) => numbers.includes(value));
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-labels-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a label in DICOM', () => {
  it.each(Object.entries(references))(
    'has the voxels of %s as highdicom or scikit-image makes them, on the grid of its image',
    async (name, { image, values, needed }) => {
      const grid = await openSlices(file(image));
      const label = await readLabel(file(`${name}.dcm`), { grid, needed: neededBy(needed) });
      expect(label.size).toEqual(grid.size);
      expect(label.affine).toEqual(grid.affine);
      expect(largestDifference(label.data, decodeFloats(values))).toBe(0);
      const sliced: number[] = [];
      const opened = await openLabelSlices(file(`${name}.dcm`), { grid, needed: neededBy(needed) });
      for await (const slice of opened.slices()) sliced.push(...slice);
      expect(sliced).toEqual([...label.data]);
      expect(await headerOddities(file(`${name}.dcm`))).toEqual([]);
    },
  );

  it('is laid onto an image whose axes run the other way', async () => {
    const grid = await openSlices(file('image-axial'));
    const { size, affine } = grid;
    const far = shiftAffine(affine, [size[0] - 1, size[1] - 1, size[2] - 1]).rows;
    // The same voxels counted from the far corner.
    const rows = far.map((n, i) => (i % 4 === 3 ? n : -n));
    const turned: Grid = { size, spacing: grid.spacing, affine: { rows } };
    for (const name of ['seg-axial', 'contours-axial']) {
      const { data } = await readLabel(file(`${name}.dcm`), { grid });
      const found = await readLabel(file(`${name}.dcm`), { grid: turned });
      expect([...found.data].reverse()).toEqual([...data]);
      expect(Math.max(...data)).toBe(3);
    }
  });

  it('is refused half a voxel aside of its image', async () => {
    const { size, spacing, affine } = await openSlices(file('image-axial'));
    const grid = { size, spacing, affine: shiftAffine(affine, [0.5, 0, 0]) };
    await expect(readLabel(file('seg-axial.dcm'), { grid })).rejects.toThrow(
      /: it lies 0.50 voxels aside; use the/,
    );
  });

  it('of segments has a grid of its own where no image is given', async () => {
    const label = await readLabel(file('seg-axial.dcm'));
    expect(label.size).toEqual([13, 11, 4]); // the first and the last slice hold nothing
    const { data } = await readLabel(file('seg-axial.dcm'), { grid: await openSlices(file('image-axial')) });
    expect([...label.data]).toEqual([...data.slice(13 * 11, 5 * 13 * 11)]);
  });

  it('may lie in a folder of its own, beside what is none', async () => {
    const target = join(folder, 'alone');
    cpSync(file('contours-axial.dcm'), join(target, 'rs'));
    const grid = await openSlices(file('image-axial'));
    expect((await readLabel(target, { grid })).data).toEqual(
      (await readLabel(file('contours-axial.dcm'), { grid })).data,
    );
  });

  it.each([
    ['seg-overlapping', /the segments 1 \(Liver\) and 2 \(Spleen\) overlap in 4 voxels.* leave out the one/],
    ['seg-fractional', /is a fractional segmentation, .* expected one of type BINARY or LABELMAP/],
    ['seg-oblique', /frame 1 does not lie voxel on voxel on its image/],
    ['contours-overlapping', /the regions 1 \(Liver\) and 99 \(Body\) overlap in \d+ voxels/],
    ['contours-between-slices', /1 \(Liver\) lies 0.50 slices from the next slice of the image/],
    ['contours-outside', /a contour of the region 1 \(Liver\) lies outside the image/],
    ['contours-coronal', /a contour of the region 1 \(Liver\) (lies|does not lie)/],
  ])('%s is refused in one sentence', async (name, sentence) => {
    const reading = readLabel(file(`${name}.dcm`), { grid: await openSlices(file('image-axial')) });
    await expect(reading).rejects.toThrow(sentence);
    await expect(reading).rejects.toBeInstanceOf(DataError);
  });

  it('is no scan, and contours have no grid of their own', async () => {
    await expect(readVolume(file('seg-axial.dcm'))).rejects.toThrow(
      /seg-axial.dcm holds no slices, but seg-axial.dcm \(SEG\): give it as the label of its image/,
    );
    await expect(readLabel(file('contours-axial.dcm'))).rejects.toThrow(/which have no voxels of their own/);
    const target = join(folder, 'two');
    for (const name of ['seg-axial.dcm', 'contours-axial.dcm']) cpSync(file(name), join(target, name));
    await expect(readLabel(target)).rejects.toThrow(/holds 2 labels, contours-axial.dcm \(RTSTRUCT\), seg-/);
  });

  it('beside the slices of its scan is passed over, and named', async () => {
    const target = join(folder, 'mixed');
    cpSync(file('image-axial'), target, { recursive: true });
    for (const name of ['seg-axial.dcm', 'contours-axial.dcm']) cpSync(file(name), join(target, name));
    expect((await readVolume(target)).size).toEqual([13, 11, 6]);
    expect(await headerOddities(target)).toEqual([
      expect.stringMatching(
        /2 files are no slices and were passed over: contours-axial.dcm \(RTSTRUCT\), seg-axial.dcm \(SEG\)$/,
      ),
    ]);
  });
});
