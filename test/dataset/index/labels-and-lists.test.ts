import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { temporaryFolder, writeJson } from '../generated-data.js';

const root = temporaryFolder();
let written = 0;

/** The dataset of an entry, whose folder holds these files (empty) and `dataset.json`. */
async function listed(
  layout: string,
  description: object,
  files: readonly string[] = [],
  entry: object = {},
) {
  const path = join(root, String(written++));
  writeJson(join(path, 'dataset.json'), description);
  touch(path, files);
  const file = writeJson(join(path, '..', `datasets-${written}.json`), {
    schema: 1,
    datasets: { d: { layout, path, ...entry } },
  });
  const [dataset] = await indexDatasets(await readDatasetFile(file));
  const short = (found: string) => found.slice(path.length + 1);
  return {
    ...dataset!,
    listed: dataset!.cases.map(({ name, images, label, split }) =>
      [name, images.map(short).join(' '), label && short(label), split].join(' | '),
    ),
    splits: Object.fromEntries(dataset!.cases.map(({ name, split }) => [name, split])),
  };
}

function touch(path: string, files: readonly string[]) {
  for (const file of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), '');
  }
}

const nnunetFiles = ['imagesTr/a_0000.nii.gz', 'labelsTr/a.nii.gz'];
const nnunet = (labels: unknown, extra: object = {}, files = nnunetFiles, entry: object = {}) =>
  listed('nnunet', { channel_names: { 0: 'CT' }, labels, file_ending: '.nii.gz', ...extra }, files, entry);

describe('the labels of a dataset.json', () => {
  it.each([
    ['version 1', { 0: 'background', 1: 'spleen', 3: 'liver' }, { 1: 'spleen', 3: 'liver' }],
    ['version 1 without background', { 1: 'spleen' }, { 1: 'spleen' }],
    ['version 2', { background: 0, spleen: 1, liver: 3 }, { 1: 'spleen', 3: 'liver' }],
    ['version 2 with values as text', { background: '0', spleen: '1' }, { 1: 'spleen' }],
    ['lists of one value', { background: 0, spleen: [1] }, { 1: 'spleen' }],
    ['a list of names', ['background', 'spleen', 'liver'], { 1: 'spleen', 2: 'liver' }],
  ])('are read as %s, in nnU-Net and in the Decathlon', async (_, labels, classes) => {
    expect(await nnunet(labels)).toMatchObject({ classes });
    const training = [{ image: './imagesTr/a.nii.gz', label: './labelsTr/a.nii.gz' }];
    const msd = await listed('msd', { modality: { 0: 'CT' }, labels, training });
    expect(msd).toMatchObject({ classes });
    for (const dataset of [await nnunet(labels), msd])
      expect([dataset.ignore, dataset.regions]).toEqual([undefined, undefined]);
  });

  it('may be regions, each with the value first that a prediction writes', async () => {
    const labels = { background: 0, whole: [1, 2, 3], core: [2, 3], enhancing: 3 };
    expect(await nnunet(labels, { regions_class_order: [1, 2, 3] })).toMatchObject({
      regions: { whole: [1, 2, 3], core: [2, 3], enhancing: [3] },
      classes: { 1: 'whole', 2: 'whole and core', 3: 'enhancing' },
    });
    const brats = { background: 0, whole: [1, 2, 3], core: [1, 3], enhancing: [3] };
    expect((await nnunet(brats, { regions_class_order: [2, 1, 3] })).regions).toEqual({
      whole: [2, 1, 3],
      core: [1, 3],
      enhancing: [3],
    });
    expect((await nnunet({ background: 0, x: 1 }, { regions_class_order: [1] })).regions).toBeUndefined();
  });

  it('may have one value that is ignored', async () => {
    expect(await nnunet({ background: 0, x: 1, ignore: 2 })).toMatchObject({
      classes: { 1: 'x' },
      ignore: 2,
    });
    expect(await nnunet({ 0: 'background', 1: 'x', 2: 'ignore' })).toMatchObject({
      classes: { 1: 'x' },
      ignore: 2,
    });
    const both = await nnunet(
      { background: 0, all: [1, 2], inner: 2, ignore: 3 },
      { regions_class_order: [1, 2] },
    );
    expect(both).toMatchObject({ ignore: 3, regions: { all: [1, 2], inner: [2] } });
    expect(Object.keys(both.classes)).toEqual(['1', '2']);
  });

  it('give way to what the dataset index states', async () => {
    const labels = { background: 0, all: [1, 2], inner: 2, ignore: 3 };
    const stated = await nnunet(labels, {}, nnunetFiles, { classes: { 1: 'a', 2: 'b', 3: 'c' } });
    expect([stated.classes[3], stated.regions, stated.ignore]).toEqual(['c', undefined, undefined]);
    const more = await nnunet({ background: 0, a: 1, b: 2 }, {}, nnunetFiles, {
      ignore: 9,
      regions: { ab: [1, 2] },
    });
    expect([more.ignore, more.regions]).toEqual([9, { ab: [1, 2] }]);
    const images = await nnunet(labels, {}, nnunetFiles, { withLabels: false });
    expect([images.classes, images.regions, images.ignore]).toEqual([{}, undefined, undefined]);
  });

  it.each([
    ['both ways at once', { background: 0, 1: 'x' }, {}, /labels: found \{"1":"x"\}|expected \{"liver": 1\}/],
    [
      'a number that is no whole one',
      { background: 0, x: 1.5 },
      {},
      /labels\.x: found 1\.5, expected a whole number or text or a list/,
    ],
    [
      'no kind that labels have',
      7,
      {},
      /labels: found 7, expected a list \[\.\.\.\] or an object \{\.\.\.\}/,
    ],
    ['none', undefined, {}, /labels: is missing; expected a list \[\.\.\.\] or an object/],
    ['one value twice', { background: 0, x: 1, y: 1 }, {}, /the labels "x" and "y" have the same value 1/],
    ['one name twice', { 0: 'background', 1: 'x', 2: 'x' }, {}, /two labels are named "x"/],
    [
      'ignore as a list',
      { background: 0, x: 1, ignore: [2, 3] },
      {},
      /"ignore" is \[2,3\], but must be one value/,
    ],
    [
      'ignore as a class',
      { background: 0, x: 2, ignore: 2 },
      {},
      /"ignore" is \[2\], but must be one value above 0 that no other/,
    ],
    ['regions with background', { background: 0, x: [0, 1], y: 1 }, {}, /the region "x" has the value 0/],
    [
      'regions from small to large',
      { background: 0, core: 2, whole: [1, 2] },
      {},
      /the region "core" \[2\] is written as no value.*from the largest to the smallest/,
    ],
    [
      'an order of other length',
      { background: 0, x: [1, 2], y: 2 },
      { regions_class_order: [1] },
      /regions_class_order has 1 values, but there are 2 regions/,
    ],
    [
      'an order of foreign values',
      { background: 0, x: [1, 2], y: 2 },
      { regions_class_order: [3, 2] },
      /regions_class_order: the region "x" \[1, 2\] is written as 3/,
    ],
  ])('are refused with %s', async (_, labels, extra, message) => {
    await expect(nnunet(labels, extra)).rejects.toThrow(message);
  });

  it('are refused where the index contradicts them', async () => {
    const labels = { background: 0, x: 1 };
    await expect(nnunet(labels, {}, nnunetFiles, { ignore: 1 })).rejects.toThrow(
      /datasets\.d\.ignore is 1, but that is the class "x"/,
    );
    await expect(nnunet(labels, {}, nnunetFiles, { ignore: 70_000 })).rejects.toThrow(
      /is 70000, but a value is 65535 at most/,
    );
    await expect(nnunet(labels, {}, nnunetFiles, { regions: { all: [1, 2] } })).rejects.toThrow(
      /datasets\.d\.regions\.all has the value 2, but the classes are 1/,
    );
  });
});

describe("nnU-Net's own list of cases", () => {
  const labels = { background: 0, x: 1 };

  it('gives the training cases, wherever their files lie', async () => {
    const outside = join(root, 'outside');
    touch(outside, ['scan.nii.gz']);
    process.env.NNUNET_TEST_PLACE = outside;
    const dataset = {
      first: { images: ['elsewhere/a.nii.gz'], label: 'elsewhere/b.nii.gz' },
      '检查 2': { images: [join(outside, 'scan.nii.gz')], label: '$NNUNET_TEST_PLACE/scan.nii.gz' },
      third: { images: ['imagesTr/unlisted_0000.nii.gz'], label: 'x.nii.gz' },
    };
    const used = ['elsewhere/a.nii.gz', 'elsewhere/b.nii.gz', 'x.nii.gz'];
    const files = [...nnunetFiles, ...used, 'imagesTr/unlisted_0000.nii.gz', 'imagesTs/t_0000.nii.gz'];
    const stray = await nnunet(labels, { dataset }, [...files, 'elsewhere/c.nii.gz']);
    expect(stray.notes.filter((note) => note.includes('no part of'))).toEqual([
      expect.stringMatching(/^1 image files are no part of the layout "nnunet" .*elsewhere\/c.nii.gz$/),
    ]);
    const found = await nnunet(labels, { dataset, numTraining: '3' }, files, { includeTest: true });
    expect(found.cases.map(({ name }) => name)).toEqual(['first', '检查_2', 'third', 't']);
    expect(found.cases[0]!.images[0]).toMatch(/elsewhere\/a\.nii\.gz$/);
    expect(found.cases[1]!.label).toBe(join(outside, 'scan.nii.gz'));
    expect([found.splits.t, found.notes]).toEqual(['test', []]);
    const images = await nnunet(labels, { dataset }, files, { withLabels: false });
    expect(images.cases.map(({ name, label }) => [name, label])).toEqual(
      ['first', '检查_2', 'third'].map((name) => [name, undefined]),
    );
  });

  it('is refused by its key where it has another form', async () => {
    await expect(nnunet(labels, { dataset: { a: { images: 'x.nii', label: 'y.nii' } } })).rejects.toThrow(
      /dataset\.a\.images: found "x\.nii", expected a list/,
    );
  });
});

describe('the description of another tool', () => {
  const training = [{ image: './imagesTr/a.nii.gz', label: './labelsTr/a.nii.gz' }];

  it('is refused with the layout that it is of', async () => {
    await expect(
      listed('msd', { channel_names: { 0: 'CT' }, labels: { background: 0, x: 1 }, file_ending: '.nii.gz' }),
    ).rejects.toThrow(/is a dataset\.json of nnU-Net, which lists no training cases: set "layout": "nnunet"/);
    await expect(
      listed('nnunet', { modality: { 0: 'CT' }, labels: { 1: 'x' }, training }, [
        'imagesTr/a.nii.gz',
        'labelsTr/a.nii.gz',
      ]),
    ).rejects.toThrow(/images have no channel in their names .*imagesTr\/a\.nii\.gz.*set "layout": "msd"/);
  });

  it('is read where nnU-Net 1 lists its cases too', async () => {
    const one = {
      modality: { 0: 'MRI' },
      labels: { 0: 'background', 1: 'x' },
      training,
      numTraining: 1,
      numTest: 0,
      test: [],
    };
    expect(await listed('nnunet', one, nnunetFiles)).toMatchObject({
      modality: 'mr',
      classes: { 1: 'x' },
      notes: [],
    });
  });
});

describe('a data list', () => {
  const labels = { background: 0, x: 1 };
  const item = (name: string, extra: object = {}) => ({
    image: `i/${name}.nii.gz`,
    label: `l/${name}.nii.gz`,
    ...extra,
  });
  const list = (content: object, entry: object = {}, files: readonly string[] = []) =>
    listed('msd', { labels, ...content }, files, { modality: 'ct', ...entry });

  it('has training, validation and test lists, which are the splits', async () => {
    const content = {
      training: [item('a'), item('b')],
      validation: [item('c'), { image: 'i/d.nii.gz' }],
      test: ['i/e.nii.gz', { image: './i/f.nii.gz' }, item('g')],
    };
    expect((await list(content)).splits).toEqual({
      a: 'training',
      b: 'training',
      c: 'validation',
      g: 'test',
    });
    const all = await list(content, { includeTest: true });
    expect(all.splits).toMatchObject({ c: 'validation', d: 'test', e: 'test', f: 'test', g: 'test' });
    expect(all.listed[2]).toBe('c | i/c.nii.gz | l/c.nii.gz | validation');
    const images = await list(content, { withLabels: false, includeTest: true });
    expect(images.cases.map(({ label }) => label)).toEqual(new Array(7).fill(undefined));
    expect(images.splits.c).toBe('validation');
  });

  it('names a case of several images by what their names have in common', async () => {
    const images = (...names: string[]) => ({ image: names, label: ['l/x.nii.gz'] });
    const content = {
      training: [
        images('T/7/7_flair.nii.gz', 'T/7/7_t1.nii.gz', 'T/7/7_t1ce.nii.gz'),
        images('T/8_0000.nii.gz', 'T/8_0001.nii.gz'),
        images('T/nine.nii.gz'),
      ],
    };
    expect((await list(content)).cases.map(({ name, images }) => [name, images.length])).toEqual([
      ['7', 3],
      ['8', 2],
      ['nine', 1],
    ]);
    const alike = { training: [item('s1/ct'), item('s2/ct'), images('s3/ct.nii.gz', 's3/pet.nii.gz')] };
    expect((await list(alike)).cases.map(({ name }) => name)).toEqual(['i_s1_ct', 'i_s2_ct', 's3_ct']);
  });

  it('gives its folds where the index asks for one, and says what is missing', async () => {
    const content = { training: [0, 1, 2, 0].map((fold, i) => item(`c${i}`, { fold })) };
    const found = await list(content, { fold: 0 });
    expect(found.splits).toEqual({ c0: 'validation', c1: 'training', c2: 'training', c3: 'validation' });
    expect(found.cases.map(({ fold }) => fold)).toEqual([0, 1, 2, 0]);
    expect((await list(content)).cases.some(({ fold }) => fold !== undefined)).toBe(false);
    await expect(list(content, { fold: 5 })).rejects.toThrow(/has no fold 5: its folds are 0, 1, 2/);
    await expect(list({ training: [item('a', { fold: 0 }), item('b')] }, { fold: 0 })).rejects.toThrow(
      /the case of i\/b\.nii\.gz has no "fold"/,
    );
  });

  it('may be any .json file, with its paths from a folder of its own', async () => {
    const data = join(root, 'scans');
    const file = join(root, 'lists', 'fold0.json');
    writeJson(file, { training: [item('a')], labels });
    const index = writeJson(join(root, 'any.json'), {
      schema: 1,
      datasets: {
        d: { layout: 'msd', path: file, data, modality: 'ct' },
        e: { layout: 'msd', path: file, modality: 'ct' },
      },
    });
    const [d, e] = await indexDatasets(await readDatasetFile(index));
    expect(d!.cases[0]!.images).toEqual([join(data, 'i/a.nii.gz')]);
    expect(e!.cases[0]!.images).toEqual([join(root, 'lists', 'i/a.nii.gz')]);
  });

  it("passes over macOS's twins, and finds files that were compressed or not since, with a note", async () => {
    const content = { training: [item('a'), item('._a'), item('b')] };
    const { cases, notes } = await list(content, {}, ['i/a.nii', 'i/b.nii.gz', 'l/a.nii.gz', 'l/b.nii']);
    expect(cases.map(({ images }) => images[0]!.slice(-8))).toEqual(['/i/a.nii', 'b.nii.gz']);
    expect(notes).toEqual([
      expect.stringMatching(/^1 listed files that begin with "\._" are passed over/),
      expect.stringMatching(/^2 listed files are there compressed or not.*i\/a\.nii\.gz as a\.nii$/),
    ]);
  });

  it.each<[string, object, RegExp, object?]>([
    [
      'a label of several files',
      { training: [{ image: 'a.nii', label: ['b.nii', 'c.nii'] }] },
      /training\.0\.label: found the list \["b\.nii","c\.nii"\]/,
    ],
    [
      'an image that is no path',
      { training: [{ image: 3 }] },
      /training\.0\.image: found 3, expected text or a list/,
    ],
    ['no image', { training: [{ label: 'x' }] }, /training\.0\.image: is missing; expected text or a list/],
    [
      'no training cases',
      { training: [] },
      /training: found the list \[\], expected a list whose length is at least 1/,
    ],
    [
      'no label at all',
      { training: ['a.nii'] },
      /no case has a "label": add labels, or set "withLabels": false/,
    ],
    ['one case twice', { training: [item('a'), item('a')] }, /lists the case "i_a" twice/],
    ['no modality', { training: [item('a')] }, /says no modality: state "modality"/, { modality: undefined }],
  ])('is refused with %s, by its key', async (_, content, message, entry = {}) => {
    await expect(list(content, entry)).rejects.toThrow(message);
  });

  it('skips a case that alone has no label', async () => {
    const { cases } = await list({ training: [item('a'), { image: 'i/b.nii.gz' }] });
    expect(cases.map(({ problem }) => problem)).toEqual([
      undefined,
      expect.stringMatching(/i\/b\.nii\.gz no label/),
    ]);
  });
});
