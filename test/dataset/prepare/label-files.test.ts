import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkDatasets,
  type PreparedCase,
  prepareDatasets,
  readLabelOnGrid,
  readPreparedVolume,
} from '../../../src/dataset/index.js';
import { readVolume, type Volume, writeNifti } from '../../../src/volume/index.js';
import {
  affineOf,
  asLabel,
  datasetIndex,
  labelledCase,
  tellingHu,
  temporaryFolder,
  volumeOf,
  writeJson,
} from '../generated-data.js';

const folder = temporaryFolder();
let written = 0;

/** What becomes of a dataset index, prepared and checked. */
async function prepared(content: object) {
  const datasetsFile = writeJson(join(folder, `datasets-${written}.json`), content);
  const out = join(folder, `prepared-${written++}`);
  const { index, skipped } = await prepareDatasets({ datasetsFile, out, workers: 2 });
  const { findings } = await checkDatasets({ datasetsFile, workers: 1 });
  const unusable = findings.filter(({ severity }) => severity === 'unusable').map(({ message }) => message);
  expect(unusable).toEqual(skipped.map(({ reason }) => reason)); // the check says what prepare says
  const volumes = (name: string) =>
    readPreparedVolume(out, index.cases.find((found) => found.name === name) as PreparedCase);
  return { index, skipped: Object.fromEntries(skipped.map(({ id, reason }) => [id, reason])), volumes };
}

describe("a label whose axes run another way than its image's", () => {
  const parity = join(process.cwd(), 'test/parity/dataset/orientations');
  const labels = readdirSync(parity).filter((file) => file.startsWith('label-'));
  const image = join(parity, 'image.nii.gz');
  const cases = labels.map((file) => ({ id: file.replace('.nii.gz', ''), image, label: join(parity, file) }));
  const classes = { classes: { 1: 'a', 2: 'b', 3: 'c' }, modality: 'mr', intensity: 'none' };

  it('is brought to it by an exact permutation, in all 48 orientations that nibabel writes', async () => {
    const { volumes, skipped } = await prepared(datasetIndex(cases, classes));
    expect([labels.length, skipped]).toEqual([48, {}]);
    for (const { id } of cases) {
      const { image, label } = await volumes(id);
      expect(
        [...label!.data].map((value) => 100 * value),
        id,
      ).toEqual([...image.data]);
      expect(label!.affine.rows.map((n) => n.toFixed(4))).toEqual(image.affine.rows.map((n) => n.toFixed(4)));
    }
  });

  it('is the same after resampling, and as it is read for an evaluation', async () => {
    const { volumes } = await prepared(datasetIndex(cases, { ...classes, spacing: [1, 1, 1] }));
    const first = (await volumes('label-00')).label!;
    for (const { id } of cases) expect((await volumes(id)).label, id).toEqual(first);
    const source = await readVolume(image);
    for (const { id, label } of cases) {
      const placed = await readLabelOnGrid({ label }, source, image);
      expect(
        [...placed.data].map((value) => 100 * value),
        id,
      ).toEqual([...source.data]);
    }
  });
});

describe('a label whose header is wrong', () => {
  const size = [8, 7, 6] as const;
  const scan = volumeOf(size, tellingHu, [1, 1.5, 2]);
  const inside = asLabel(volumeOf(size, (x, y, z) => (x > 2 && y > 3 && z > 1 ? 1 : 0)));

  async function write(name: string, label: Volume) {
    await writeNifti(join(folder, `${name}.nii.gz`), scan);
    await writeNifti(join(folder, `${name}_label.nii.gz`), label);
  }

  it('is refused with both geometries, and taken voxel by voxel where "aligned" says so', async () => {
    await write('shifted', { ...inside, spacing: scan.spacing, affine: affineOf(scan.spacing, [1.5, 0, 0]) });
    await write('identity', inside);
    const cases = ['shifted', 'identity'].map((name) => labelledCase(name));
    const { skipped } = await prepared(datasetIndex(cases));
    expect(skipped['ct/shifted']).toMatch(
      /a corner 1\.50 mm apart.*\(label: 8x7x6 voxels of 1 x 1\.5 x 2 mm, axes to RAS, first voxel at \[1\.5, 0, 0\] mm; image: .* \[0, 0, 0\] mm\).*"aligned": true/,
    );
    expect(skipped['ct/identity']).toMatch(/label: 8x7x6 voxels of 1 x 1 x 1 mm/);
    for (const content of [
      datasetIndex(cases, { aligned: true }),
      datasetIndex(cases.map((listed) => ({ ...listed, aligned: true }))),
    ]) {
      const { skipped, volumes, index } = await prepared(content);
      expect([skipped, index.cases.map(({ aligned }) => aligned)]).toEqual([{}, [true, true]]);
      for (const name of ['shifted', 'identity']) {
        const { image, label } = await volumes(name);
        expect(label).toMatchObject({ spacing: image.spacing, affine: image.affine });
        expect([...label!.data]).toEqual([...inside.data]);
      }
    }
    const one = await prepared(
      datasetIndex([cases[0]!, { ...cases[1]!, aligned: false }], { aligned: true }),
    );
    expect(Object.keys(one.skipped)).toEqual(['ct/identity']); // a case says otherwise for itself
  });

  it('is refused in any case where its size is another', async () => {
    await write('smaller', asLabel(volumeOf([7, 7, 6], () => 1)));
    const { skipped } = await prepared(datasetIndex([labelledCase('smaller')], { aligned: true }));
    expect(skipped['ct/smaller']).toMatch(
      /has 7x7x6 voxels, but its image .* has 8x7x6: they must share one grid$/,
    );
  });
});

describe('one mask a class', () => {
  const size = [6, 5, 4] as const;
  const box = (from: number, to: number, value = 1) =>
    asLabel(volumeOf(size, (x) => (x >= from && x < to ? value : 0)));

  async function totalSegmentator(
    root: string,
    masks: Readonly<Record<string, Readonly<Record<string, Volume>>>>,
  ) {
    for (const [name, of] of Object.entries(masks)) {
      await writeNifti(
        join(writeJson(join(root, name, 'x.json'), {}), '..', 'ct.nii.gz'),
        volumeOf(size, tellingHu),
      );
      for (const [structure, mask] of Object.entries(of)) {
        writeJson(join(root, name, 'segmentations', 'x.json'), {});
        await writeNifti(join(root, name, 'segmentations', `${structure}.nii.gz`), mask);
      }
    }
    return (entry: object) => ({
      schema: 1,
      datasets: {
        t: {
          layout: 'masks',
          modality: 'ct',
          path: root,
          spacing: null,
          foregroundThreshold: null,
          ...entry,
        },
      },
    });
  }

  it('become classes; structures are put together, and a missing mask is an absent class', async () => {
    const index = await totalSegmentator(join(folder, 'total'), {
      s0001: { liver: box(0, 2), kidney_left: box(3, 4), kidney_right: box(5, 6), ignored_here: box(0, 6) },
      s0002: { liver: box(1, 2, 255) },
    });
    const classes = { 2: 'kidney', 7: 'liver' };
    const structures = { kidney: ['kidney_left', 'kidney_right'] };
    const found = await prepared(index({ classes, structures }));
    expect(found.skipped).toEqual({});
    const row = async (name: string) => [...(await found.volumes(name)).label!.data.slice(0, 6)];
    expect(await row('s0001')).toEqual([7, 7, 0, 2, 0, 2]);
    expect(await row('s0002')).toEqual([0, 7, 0, 0, 0, 0]);
    expect(found.index.cases.map(({ classVoxels }) => Object.keys(classVoxels))).toEqual([['2', '7'], ['7']]);
  });

  it('that overlap are refused with the voxel, or given to the first or last class', async () => {
    const index = await totalSegmentator(join(folder, 'overlap'), { s1: { a: box(0, 4), b: box(2, 6) } });
    const classes = { 1: 'a', 2: 'b' };
    const { skipped } = await prepared(index({ classes }));
    expect(skipped['t/s1']).toMatch(
      /a\.nii\.gz and .*b\.nii\.gz both hold the voxel \[2, 0, 0\]: .*"overlap"/,
    );
    for (const [overlap, expected] of [
      ['first', [1, 1, 1, 1, 2, 2]],
      ['last', [1, 1, 2, 2, 2, 2]],
    ] as const) {
      const { volumes } = await prepared(index({ classes, overlap }));
      expect([...(await volumes('s1')).label!.data.slice(0, 6)]).toEqual(expected);
    }
  });

  it.each([
    [
      'probabilities',
      { a: { ...box(0, 2), data: Float32Array.from(box(0, 2).data, (v) => v * 0.7) } },
      /holds the value 0\.69.*a mask has one whole number/,
    ],
    ['several values', { a: asLabel(volumeOf(size, (x) => x)) }, /holds the value 2 besides 1/],
    [
      'another grid than the other masks',
      { a: box(0, 2), b: asLabel(volumeOf([5, 5, 4], () => 0)) },
      /mask .*b\.nii\.gz has 5x5x4 voxels, but its first mask/,
    ],
    ['none of the structures', { other: box(0, 2) }, /holds none of the masks a, b/],
  ])('are refused with %s', async (what, masks, message) => {
    const root = join(folder, `bad-${what.replaceAll(' ', '-')}`);
    const index = await totalSegmentator(root, { s1: masks, s2: { a: box(0, 1), b: box(1, 2) } });
    const { skipped } = await prepared(index({ classes: { 1: 'a', 2: 'b' } }));
    expect(Object.keys(skipped)).toEqual(['t/s1']);
    expect(skipped['t/s1']).toMatch(message);
  });

  it('are named where a structure is in no case, or a class is misspelt', async () => {
    const index = await totalSegmentator(join(folder, 'misspelt'), {
      s1: { liver: box(0, 2), spleen: box(3, 4) },
    });
    await expect(prepared(index({ classes: { 1: 'livr' } }))).rejects.toThrow(
      /datasets\.t has no mask "livr" in any case: the files are named liver, spleen/,
    );
    await expect(prepared(index({ classes: { 1: 'liver' }, structures: { lung: 'liver' } }))).rejects.toThrow(
      /structures has "lung", which is no class/,
    );
  });

  it('are listed by class in the layout "files", instead of a label', async () => {
    await totalSegmentator(join(folder, 'files'), { s1: { liver: box(0, 2), spleen: box(3, 4) } });
    const at = (name: string) => join(folder, 'files', 's1', name);
    const masks = { tumour: at('segmentations/spleen.nii.gz'), liver: at('segmentations/liver.nii.gz') };
    const listed = { id: 's1', image: at('ct.nii.gz'), masks };
    const { volumes } = await prepared(datasetIndex([listed]));
    expect([...(await volumes('s1')).label!.data.slice(0, 6)]).toEqual([1, 1, 0, 2, 0, 0]);
    await expect(prepared(datasetIndex([{ ...listed, label: at('ct.nii.gz') }]))).rejects.toThrow(
      /has both "label" and "masks"/,
    );
    await expect(prepared(datasetIndex([{ ...listed, masks: { lung: 'x.nii' } }]))).rejects.toThrow(
      /masks has "lung", which is no class: name masks by their classes, "liver", "tumour"/,
    );
  });

  it('are prepared again when a mask or the rule for overlaps changes, and not otherwise', async () => {
    const root = join(folder, 'again');
    const index = await totalSegmentator(root, { s1: { a: box(0, 4), b: box(4, 6) } });
    const run = async (entry: object) => {
      const datasetsFile = writeJson(
        join(folder, 'again.json'),
        index({ classes: { 1: 'a', 2: 'b' }, ...entry }),
      );
      const { prepared, unchanged } = await prepareDatasets({
        datasetsFile,
        out: join(folder, 'again-out'),
        workers: 1,
      });
      return [prepared, unchanged];
    };
    expect([await run({}), await run({}), await run({ overlap: 'last' })]).toEqual([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
    await writeNifti(join(root, 's1', 'segmentations', 'b.nii.gz'), box(5, 6));
    expect(await run({ overlap: 'last' })).toEqual([1, 0]);
  });
});
