import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { evaluateFolders } from '../../src/evaluation/index.js';
import { readLabel, readVolume, type Volume, writeNifti } from '../../src/volume/index.js';
import { decodeFloats, readReference, referenceFile } from '../volume/references.js';

const folder = mkdtempSync(join(tmpdir(), 'laid-into-image-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Made by `test/parity/volume/make_dicom_label_references.py` with highdicom and scikit-image. */
const { references } = readReference<{ references: Readonly<Record<string, { readonly values: string }>> }>(
  'dicom-labels.json',
);
const dicom = (name: string) => referenceFile(join('dicom-labels', name));

/** Two folders with the files of one case, copied or written. */
function pair(name: string): { predictions: string; labels: string } {
  const paths = { predictions: join(folder, name, 'p'), labels: join(folder, name, 'l') };
  for (const path of Object.values(paths)) mkdirSync(path, { recursive: true });
  return paths;
}

/** What a reference holds, as a label on the grid of its image. */
async function truth(image: string, name: string): Promise<Volume> {
  const values = decodeFloats(references[name]!.values);
  return { ...(await readVolume(dicom(image))), data: Uint8Array.from(values) };
}

describe('evaluating two folders with labels of part of an image', () => {
  it.each([
    ['seg-axial.dcm', 'image-axial', 'seg-axial', { 3: 0 }],
    ['contours-coronal.dcm', 'image-coronal', 'contours-coronal', {}],
  ] as const)(
    'takes %s for the label that others read of it, on either side',
    async (file, image, name, map) => {
      const there = await truth(image, name);
      const values = [...new Set(there.data)].filter((value) => value !== 0 && !(value in map));
      const classes = values.map((value) => ({ name: `class ${value}`, values: [value] }));
      const count = (value: number) => there.data.filter((found) => found === value).length;
      // One voxel of the first class is missing: what is laid elsewhere would show.
      const data = Uint8Array.from(there.data);
      data[data.indexOf(values[0]!)] = 0;
      for (const side of ['predictions', 'labels'] as const) {
        const paths = pair(`${name}-${side}`);
        copyFileSync(dicom(file), join(paths[side], 'case.dcm'));
        await writeNifti(join(paths[side === 'labels' ? 'predictions' : 'labels'], 'case.nii.gz'), {
          ...there,
          data,
        });
        const { cases, files } = await evaluateFolders({ ...paths, classes, labelMap: { ...map } });
        expect(files.misaligned).toEqual([]);
        for (const value of values) {
          const { dice } = cases[0]!.classes[`class ${value}`]!;
          const n = count(value);
          expect(dice).toBeCloseTo(value === values[0] ? (2 * (n - 1)) / (2 * n - 1) : 1, 12);
        }
      }
    },
  );

  it('passes over slices of scans, and says of contours on both sides that they have no voxels', async () => {
    const paths = pair('contours');
    for (const path of Object.values(paths))
      copyFileSync(dicom('contours-coronal.dcm'), join(path, 'case.DCM'));
    const evaluation = evaluateFolders({ ...paths, classes: [{ name: 'x', values: [1] }] });
    await expect(evaluation).rejects.toBeInstanceOf(DataError);
    await expect(evaluation).rejects.toThrow(
      /holds contours \(RTSTRUCT\), which have no voxels of their own/,
    );
  });
});

/** A NRRD of one byte a voxel, as 3D Slicer writes a segmentation. */
function slicer(
  file: string,
  {
    size,
    origin,
    spacing = [0.9, 0.9, 2],
    layers = 1,
  }: {
    size: readonly number[];
    origin: readonly number[];
    spacing?: readonly number[];
    layers?: number;
  },
  value: (x: number, y: number, z: number) => number,
  keys = 'Segment0_ID:=Segment_1\nSegment0_LabelValue:=1\n',
): string {
  const [nx = 1, ny = 1, nz = 1] = size;
  const [x, y, z] = spacing;
  const many = layers > 1;
  const header =
    `NRRD0004\ntype: unsigned char\ndimension: ${many ? 4 : 3}\nspace: left-posterior-superior\n` +
    `sizes: ${many ? `${layers} ` : ''}${size.join(' ')}\n` +
    `space directions: ${many ? 'none ' : ''}(${x},0,0) (0,${y},0) (0,0,${z})\n` +
    `kinds: ${many ? 'list ' : ''}domain domain domain\nencoding: raw\nspace origin: (${origin.join()})\n${keys}\n`;
  const voxels = new Uint8Array(layers * nx * ny * nz);
  for (let i = 0; i < voxels.length / layers; i++)
    voxels[layers * i] = value(i % nx, Math.floor(i / nx) % ny, Math.floor(i / nx / ny));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.concat([Buffer.from(header), voxels]));
  return file;
}

describe('a segmentation of 3D Slicer', () => {
  const whole = { size: [10, 9, 8], origin: [-10, 5, 7] };
  /** The box from voxel [2, 3, 1] on. */
  const box = { size: [4, 5, 6], origin: [-10 + 2 * 0.9, 5 + 3 * 0.9, 7 + 2] };
  const inside = (x: number, y: number, z: number) => ((x * 7 + y * 3 + z) % 5 === 0 ? 1 : 0);
  const within = (x: number, y: number, z: number) =>
    x >= 2 && x < 6 && y >= 3 && y < 8 && z >= 1 && z < 7 ? inside(x - 2, y - 3, z - 1) : 0;

  it.each([
    ['its name', 'box.seg.nrrd', ''],
    ['the keys of its segments', 'box.nrrd', undefined],
  ])('that is one by %s lies where its voxels are in the image', async (_, name, keys) => {
    const image = await readVolume(slicer(join(folder, 'slicer', 'image.nrrd'), whole, inside, ''));
    const file = slicer(join(folder, 'slicer', name), box, inside, keys);
    const laid = await readLabel(file, { grid: image });
    const { data } = await readVolume(slicer(join(folder, 'slicer', 'truth.nrrd'), whole, within, ''));
    expect([laid.size, laid.affine, [...laid.data]]).toEqual([image.size, image.affine, [...data]]);
    expect((await readLabel(file)).size).toEqual(box.size);
  });

  it('is evaluated as the label of the whole image', async () => {
    const paths = pair('slicer-evaluated');
    slicer(join(paths.labels, 'a.seg.nrrd'), box, inside);
    slicer(join(paths.predictions, 'a.seg.nrrd'), whole, within, '');
    const prediction = await readLabel(join(paths.predictions, 'a.seg.nrrd'));
    await rm(join(paths.predictions, 'a.seg.nrrd'));
    const data = Uint8Array.from(prediction.data);
    data[0] = 1; // outside the box
    await writeNifti(join(paths.predictions, 'a.nii.gz'), { ...prediction, data });
    const { cases } = await evaluateFolders({ ...paths, classes: [{ name: 'x', values: [1] }] });
    const n = prediction.data.filter((value) => value === 1).length;
    expect(cases[0]!.classes.x!.dice).toBeCloseTo((2 * n) / (2 * n + 1), 12);
  });

  it.each([
    [
      'beyond its image',
      { ...box, origin: [-10 - 0.9, 5, 7] },
      /box of 4x5x6 voxels reaches beyond its image of 10x9x8/,
    ],
    ['past the end', { ...box, origin: [-10 + 7 * 0.9, 5, 7] }, /reaches beyond its image/],
    ['between voxels', { ...box, origin: [-10 + 0.45, 5, 7] }, /lies between the voxels of its image/],
    ['of other voxels', { ...box, spacing: [0.9, 0.9, 1] }, /has other voxels than its image/],
    ['in layers', { ...box, layers: 2 }, /in 2 layers, since its segments overlap/],
  ])('%s is refused by what it is', async (name, of, sentence) => {
    const image = await readVolume(slicer(join(folder, 'slicer', 'image.nrrd'), whole, inside, ''));
    const file = slicer(join(folder, 'slicer', `${name.replaceAll(' ', '-')}.seg.nrrd`), of, inside);
    const reading = readLabel(file, { grid: image });
    await expect(reading).rejects.toBeInstanceOf(DataError);
    await expect(reading).rejects.toThrow(sentence);
  });
});
