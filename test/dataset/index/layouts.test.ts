import {
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { type PrepareResult, prepareDatasets, readPreparedVolume } from '../../../src/dataset/index.js';
import { readVolume, writeNifti } from '../../../src/volume/index.js';
import { temporaryFolder, writeJson } from '../generated-data.js';
import {
  layOutAtm22,
  layOutBrats,
  layOutBtcv,
  layOutCovid1920,
  layOutFlare21,
  layOutFolder,
  layOutLuna16,
  layOutMsd,
  layOutNnunet,
  lunaSeries,
  tinySize,
} from './release-fixtures.js';

const root = temporaryFolder();
let written = 0;

async function prepare(entry: object): Promise<PrepareResult & { out: string }> {
  const out = join(root, `prepared-${written}`);
  const datasetsFile = writeJson(join(root, `datasets-${written++}.json`), {
    schema: 1,
    datasets: { d: entry },
  });
  return { ...(await prepareDatasets({ datasetsFile, out, workers: 1 })), out };
}

async function listed(entry: object) {
  const file = writeJson(join(root, `datasets-${written++}.json`), { schema: 1, datasets: { d: entry } });
  const [dataset] = await indexDatasets(await readDatasetFile(file));
  return dataset!;
}

const abdomen = {
  spacing: [1.5, 1.5, 2],
  intensity: 'ct-window',
  windowHu: [-175, 250],
  foregroundThreshold: -175,
};
const wide = { ...abdomen, windowHu: [-1000, 1000], foregroundThreshold: -1000 };
const brain = { spacing: [1, 1, 1], intensity: 'z-score' };

/** Each official folder: how it is laid out, what the index says of it, and what must come out. */
const releases: readonly {
  readonly name: string;
  readonly layOut: (folder: string) => Promise<void>;
  readonly entry: object;
  readonly cases: readonly string[];
  readonly test?: readonly string[];
  readonly channels?: number;
  readonly classes: Record<string, string>;
  /** Class values in every label. */
  readonly values: readonly number[];
  /** What is said to be left out, besides scans without labels. */
  readonly noted?: readonly string[];
  readonly preprocessing: object;
}[] = [
  {
    name: 'MSD Liver',
    layOut: (folder) => layOutMsd(folder, 'Liver'),
    entry: { layout: 'msd' },
    cases: ['liver_0', 'liver_1', 'liver_2', 'liver_3', 'liver_4'],
    test: ['liver_131'],
    classes: { 1: 'liver', 2: 'cancer' },
    values: [1, 2],
    preprocessing: abdomen,
  },
  {
    name: 'MSD Spleen',
    layOut: (folder) => layOutMsd(folder, 'Spleen'),
    entry: { layout: 'msd' },
    cases: ['spleen_2', 'spleen_3', 'spleen_6', 'spleen_8', 'spleen_9'],
    test: ['spleen_1'],
    classes: { 1: 'spleen' },
    values: [1],
    preprocessing: abdomen,
  },
  ...(['synapse', 'monai'] as const).map((form) => ({
    name: `BTCV (${form})`,
    layOut: (folder: string) => layOutBtcv(folder, form),
    entry: { layout: 'btcv' },
    cases: ['img0001', 'img0002', 'img0003', 'img0004', 'img0005'],
    test: ['img0061', 'img0062'],
    classes: { 1: 'spleen', 6: 'liver', 8: 'aorta', 13: 'left adrenal gland' },
    values: [1, 6, 8, 13],
    preprocessing: abdomen,
  })),
  ...([2020, 2021, 2023] as const).map((year) => ({
    name: `BraTS${year}`,
    layOut: (folder: string) => layOutBrats(folder, year),
    entry: { layout: 'brats' },
    cases: {
      2020: ['001', '002', '003', '004', '355'].map((n) => `BraTS20_Training_${n}`),
      2021: ['00000', '00002', '00003', '00005', '00006'].map((n) => `BraTS2021_${n}`),
      2023: ['00000', '00002', '00003', '00005', '00006'].map((n) => `BraTS-GLI-${n}-000`),
    }[year],
    test: [{ 2020: 'BraTS20_Validation_001', 2021: 'BraTS2021_00001', 2023: 'BraTS-GLI-00001-000' }[year]],
    channels: 4,
    classes: { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' },
    values: [1, 2, 4],
    preprocessing: brain,
  })),
  {
    name: 'ATM22',
    layOut: layOutAtm22,
    entry: { layout: 'atm22' },
    cases: ['ATM_001', 'ATM_002', 'ATM_003', 'ATM_151', 'ATM_152'],
    classes: { 1: 'airway' },
    values: [1],
    preprocessing: wide,
  },
  {
    name: 'LUNA16',
    layOut: layOutLuna16,
    entry: { layout: 'luna16' },
    cases: [1, 2, 3, 4, 5].map(lunaSeries),
    classes: {},
    values: [],
    noted: [
      '1 image files are no part of the layout "luna16" and are left out, the first .*seg-lungs-LUNA16',
    ],
    preprocessing: wide,
  },
  {
    name: 'COVID-19-20',
    layOut: layOutCovid1920,
    entry: { layout: 'covid-19-20' },
    cases: ['0003', '0014', '0025', '0046', '0698'].map((n) => `volume-covid19-A-${n}`),
    test: ['volume-covid19-A-0001'],
    classes: { 1: 'COVID-19 lesion' },
    values: [1],
    preprocessing: wide,
  },
  {
    name: 'FLARE21',
    layOut: layOutFlare21,
    entry: { layout: 'flare21' },
    cases: ['train_000', 'train_001', 'train_002', 'train_003', 'train_004'],
    test: ['validation_001', 'validation_002'],
    classes: { 1: 'liver', 2: 'kidney', 3: 'spleen', 4: 'pancreas' },
    values: [1, 2, 3, 4],
    preprocessing: wide,
  },
  {
    name: 'nnU-Net raw',
    layOut: layOutNnunet,
    entry: { layout: 'nnunet' },
    cases: ['glioma_001', 'glioma_002', 'glioma_003', 'glioma_004', 'glioma_005'],
    test: ['glioma_101'],
    channels: 2,
    classes: { 1: 'core', 2: 'oedema' },
    values: [1, 2],
    preprocessing: brain,
  },
  {
    name: 'a folder of scans',
    layOut: layOutFolder,
    entry: {
      layout: 'folder',
      modality: 'ct',
      images: 'images/*.{nii,nii.gz}',
      labels: 'labels/*_seg.nii.gz',
      classes: { 1: 'a', 2: 'b' },
    },
    cases: ['anna', 'bert_2', 'carl', 'dora', 'emil'],
    classes: { 1: 'a', 2: 'b' },
    values: [1, 2],
    preprocessing: wide,
  },
];

describe.each(releases)(
  '$name, as it is downloaded',
  ({ name, layOut, entry, cases, test = [], channels = 1, classes, values, noted = [], preprocessing }) => {
    const path = join(root, name.replaceAll(' ', '-'));
    beforeAll(() => layOut(path));

    it('is prepared with its cases, channels, labels and an 80/20 split', async () => {
      const { index, skipped, notes, exitCode, out } = await prepare({ ...entry, path });
      expect([skipped, exitCode]).toEqual([[], 0]);
      const left =
        test.length > 0 ? [`${test.length} scans without labels are left out, the first .*${test[0]}`] : [];
      expect(notes).toEqual(
        [...left, ...noted].map((note) => expect.stringMatching(new RegExp(`^d: ${note}`))),
      );
      expect(index.cases.map((prepared) => prepared.name)).toEqual(cases);
      expect(index.datasets.d).toMatchObject({
        channels,
        classes,
        preprocessing,
        counts: { training: 4, validation: 1, test: 0, skipped: 0 },
      });
      for (const prepared of index.cases) {
        expect(prepared.channels).toBe(channels);
        expect(prepared.source.size).toEqual(tinySize);
        expect(prepared.spacing).toEqual((preprocessing as { spacing: number[] }).spacing);
        const { affine } = prepared;
        expect([affine.rows[0]! > 0, affine.rows[5]! > 0, affine.rows[10]! > 0]).toEqual([true, true, true]); // RAS
        expect(Object.keys(prepared.classVoxels).map(Number)).toEqual(values);
        if (channels > 1) {
          // The fixtures' channels lie at 100, 200, ...: their order is the documented one.
          expect(prepared.intensity.map(({ median }) => Math.floor(median / 100))).toEqual(
            Array.from({ length: channels }, (_, i) => i + 1),
          );
        }
      }
      const { image, label } = await readPreparedVolume(out, index.cases[0]!);
      expect(label?.size).toEqual(values.length > 0 ? image.size : undefined);
    });

    if (test.length > 0) {
      it('gives its scans without labels the split "test" when asked, or takes them in for pre-training', async () => {
        const withTest = await listed({ ...entry, path, includeTest: true });
        expect(
          withTest.cases.filter(({ split }) => split === 'test').map((listed) => [listed.name, listed.label]),
        ).toEqual(test.map((name) => [name, undefined]));
        expect(withTest.cases).toHaveLength(cases.length + test.length);
        const images = await listed({ ...entry, path, includeTest: true, withLabels: false });
        expect(images.cases.map((listed) => listed.name).sort()).toEqual([...cases, ...test].sort());
        expect(images.cases.every(({ label, split }) => label === undefined && split !== 'test')).toBe(true);
        expect(images.classes).toEqual({});
        expect((await listed({ ...entry, path, withLabels: false })).cases).toHaveLength(cases.length);
      });
    }
  },
);

describe('a layout finds its folder', () => {
  it('from the folder itself, from above, and through a link', async () => {
    await layOutBtcv(join(root, 'deep', 'Abdomen'), 'synapse');
    symlinkSync(join(root, 'deep', 'Abdomen'), join(root, 'link-to-btcv'));
    symlinkSync(join(root, 'deep'), join(root, 'deep', 'Abdomen', 'RawData', 'back')); // which must not be followed for ever
    for (const path of ['deep', 'deep/Abdomen/RawData', 'deep/Abdomen/RawData/Training', 'link-to-btcv']) {
      expect((await listed({ layout: 'btcv', path: join(root, path) })).cases, path).toHaveLength(5);
    }
  });

  it('or says what it expects there', async () => {
    mkdirSync(join(root, 'empty'));
    await expect(listed({ layout: 'atm22', path: join(root, 'empty') })).rejects.toThrow(
      /empty is no folder of the layout "atm22": TrainBatch1\/imagesTr\/ATM_001_0000.nii.gz with .* is expected in it or below/,
    );
    await expect(listed({ layout: 'brats', path: join(root, 'nowhere') })).rejects.toThrow(
      /the dataset folder .*nowhere does not exist: correct "path" in the dataset index/,
    );
    await layOutBtcv(join(root, 'images-only'), 'monai');
    rmSync(join(root, 'images-only', 'labelsTr'), { recursive: true });
    await expect(listed({ layout: 'btcv', path: join(root, 'images-only') })).rejects.toThrow(
      /holds 7 scans of the layout "btcv" but no label: add the labels \(.*\), or set "withLabels": false and "includeTest": true/,
    );
    await expect(
      listed({ layout: 'folder', modality: 'ct', images: '*.mha', path: join(root, 'empty') }),
    ).rejects.toThrow(/no file below .* matches ".*\*\.mha": correct "path" or "images"/);
  });

  it('and leaves out the cases that the index excludes, if they exist', async () => {
    await layOutAtm22(join(root, 'excluding'));
    const entry = { layout: 'atm22', path: join(root, 'excluding') };
    expect((await listed({ ...entry, exclude: ['ATM_002'] })).cases.map(({ name }) => name)).toEqual([
      'ATM_001',
      'ATM_003',
      'ATM_151',
      'ATM_152',
    ]);
    await expect(listed({ ...entry, exclude: ['ATM_164'] })).rejects.toThrow(
      /datasets.d.exclude names "ATM_164", which is no case of the dataset/,
    );
  });
});

describe('LUNA16', () => {
  it('knows the one patient with two series', async () => {
    const path = join(root, 'luna-patient');
    const twice = ['159996104466052855396410079250', '316900421002460665752357657094'].map(
      (series) => `1.3.6.1.4.1.14519.5.2.1.6279.6001.${series}`,
    );
    for (const [i, name] of [lunaSeries(1), ...twice].entries()) {
      mkdirSync(join(path, `subset${i}`), { recursive: true });
      writeFileSync(join(path, `subset${i}`, `${name}.mhd`), '');
    }
    const { cases } = await listed({ layout: 'luna16', path });
    expect(cases.map(({ name, group }) => [name, group])).toEqual([
      [lunaSeries(1), undefined],
      ...twice.map((name) => [name, 'LIDC-IDRI-0332']),
    ]);
  });

  it('is prepared again when only the data file of a header changed, and names the data file that is truncated', async () => {
    const path = join(root, 'luna-changed');
    await layOutLuna16(path);
    const raw = (n: number) => join(path, 'subset0', `${lunaSeries(n)}.raw`);
    const datasetsFile = writeJson(join(root, 'luna-changed.json'), {
      schema: 1,
      datasets: { luna: { layout: 'luna16', path } },
    });
    const run = () => prepareDatasets({ datasetsFile, out: join(root, 'luna-prepared'), workers: 1 });
    expect(await run()).toMatchObject({ prepared: 5, unchanged: 0 });
    expect(await run()).toMatchObject({ prepared: 0, unchanged: 5 });
    writeFileSync(raw(1), readFileSync(raw(1)).fill(1, 0, 400));
    truncateSync(raw(2), 1000);
    const { prepared, unchanged, skipped } = await run();
    expect([prepared, unchanged]).toEqual([1, 3]);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      `${raw(2)} is truncated: its header promises 8064 bytes of voxels, 1000 are there; copy or download it again`,
    ]);
  });
});

describe('what is missing in a release', () => {
  it('is a skipped case with the sentence that says it, and the others are prepared', async () => {
    const path = join(root, 'gaps');
    await layOutBrats(path, 2021);
    const training = join(path, 'RSNA_ASNR_MICCAI_BraTS2021_TrainingData');
    const file = (id: string, part: string) =>
      join(training, `BraTS2021_${id}`, `BraTS2021_${id}_${part}.nii.gz`);
    rmSync(file('00000', 't1ce'));
    rmSync(file('00002', 'seg'));
    for (const part of ['flair', 't1', 't1ce', 't2']) rmSync(file('00003', part));
    mkdirSync(join(training, 'copy'));
    renameSync(file('00005', 't2'), join(training, 'copy', 'BraTS2021_00006_t2.nii.gz'));
    const { index, skipped, exitCode } = await prepare({ layout: 'brats', path });
    expect([index.cases.map(({ name }) => name), exitCode]).toEqual([[], 3]);
    expect(skipped.map(({ id, reason }) => [id, reason])).toEqual([
      [
        'd/BraTS2021_00000',
        `the case BraTS2021_00000 lacks its T1 with contrast image in ${join(training, 'BraTS2021_00000')}, where there is BraTS2021_00000_flair.nii.gz, BraTS2021_00000_t1.nii.gz, BraTS2021_00000_t2.nii.gz: download the case again`,
      ],
      [
        'd/BraTS2021_00002',
        `the image ${file('00002', 'flair')} has no label, but others beside it have one: download the label of BraTS2021_00002`,
      ],
      [
        'd/BraTS2021_00003',
        `the label ${file('00003', 'seg')} has no image: download the image of BraTS2021_00003, or remove the label`,
      ],
      ['d/BraTS2021_00005', expect.stringMatching(/lacks its T2 image/)],
      [
        'd/BraTS2021_00006',
        `the case BraTS2021_00006 has two files where one is expected, ${file('00006', 't2')} and ${join(training, 'copy', 'BraTS2021_00006_t2.nii.gz')}: remove one`,
      ],
    ]);
    expect(
      (await listed({ layout: 'brats', path, withLabels: false })).cases.find(
        ({ name }) => name === 'BraTS2021_00002',
      )?.problem,
    ).toBeUndefined();
  });

  it('is noted when it is left out on purpose or does not add up', async () => {
    const path = join(root, 'noted');
    await layOutFlare21(path);
    renameSync(
      join(path, 'TrainingImg', 'train_004_0000.nii.gz'),
      join(path, 'TrainingImg', 'patient4.nii.gz'),
    );
    expect((await listed({ layout: 'flare21', path })).notes).toEqual([
      `2 scans without labels are left out, the first ${join(path, 'ValidationImg', 'validation_001_0000.nii.gz')}: set "includeTest" to take them in`,
      `1 image files are no part of the layout "flare21" and are left out, the first ${join(path, 'TrainingImg', 'patient4.nii.gz')}`,
    ]);
    const nnunet = join(root, 'noted-nnunet');
    await layOutNnunet(nnunet);
    for (const file of ['imagesTr/glioma_005_0000', 'imagesTr/glioma_005_0001', 'labelsTr/glioma_005'])
      rmSync(join(nnunet, `${file}.nii.gz`));
    expect((await listed({ layout: 'nnunet', path: nnunet, includeTest: true })).notes).toEqual([
      'dataset.json promises 5 training cases, but 4 are there: some were not copied, or "numTraining" is wrong',
    ]);
  });
});

describe('labels that changed their meaning', () => {
  it('become the same classes: 3 is the enhancing tumour since BraTS 2023, and a resection cavity (2024) is never taken for it', async () => {
    const path = join(root, 'brats-map');
    await layOutBrats(path, 2023);
    expect((await listed({ layout: 'brats', path })).cases[0]?.labelMap).toEqual({ 3: 4, 4: 5 });
    const id = 'BraTS-GLI-00000-000';
    const file = join(path, 'ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData', id, `${id}-seg.nii.gz`);
    const label = await readVolume(file);
    await writeNifti(file, { ...label, data: label.data.map((value) => (value === 1 ? 4 : value)) });
    const { skipped, prepared } = await prepare({ layout: 'brats', path });
    expect([prepared, skipped.map(({ id }) => id)]).toEqual([4, [`d/${id}`]]);
    expect(skipped[0]!.reason).toMatch(
      /holds the value 4 \(mapped to 5\), but the task's classes are 0 background, 1 necrotic core, 2 oedema, 4 enhancing tumour/,
    );
    const classes = { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour', 5: 'resection cavity' };
    const withCavity = await prepare({ layout: 'brats', path, classes });
    expect(Object.keys(withCavity.index.cases[0]!.classVoxels)).toEqual(['2', '4', '5']);
  });

  it('of nnU-Net regions are their values, named by the label that is one value alone', async () => {
    const path = join(root, 'regions');
    await layOutNnunet(path, { background: 0, whole: [1, 2], core: [2] });
    expect((await listed({ layout: 'nnunet', path })).classes).toEqual({ 1: 'whole', 2: 'core' });
    expect((await listed({ layout: 'nnunet', path })).regions).toEqual({ whole: [1, 2], core: [2] });
    await layOutNnunet(path, { background: 0, core: 1, ignore: 2 });
    const { classes, ignore, regions } = await listed({ layout: 'nnunet', path });
    expect([classes, ignore, regions]).toEqual([{ 1: 'core' }, 2, undefined]);
  });
});

describe('the layout "folder"', () => {
  it('takes folders of DICOM series by a glob that ends in "/", and labels in another format', async () => {
    const path = join(root, 'dicom');
    for (const [patient, series] of [
      ['anna', 'dicom-axial'],
      ['bert', 'dicom-oblique'],
    ]) {
      cpSync(join('test/parity/volume/formats', series!), join(path, 'scans', patient!, 'ct'), {
        recursive: true,
      });
      const image = await readVolume(join(path, 'scans', patient!, 'ct'));
      await writeNifti(join(path, `${patient}.nii.gz`), {
        ...image,
        data: Uint8Array.from(image.data, (_, i) => (i % 3 === 0 ? 1 : 0)),
      });
    }
    const entry = {
      layout: 'folder',
      modality: 'ct',
      path,
      images: 'scans/*/ct/',
      labels: '*.nii.gz',
      classes: { 1: 'third' },
      spacing: null,
    };
    const { index, skipped } = await prepare(entry);
    expect(skipped).toEqual([]);
    expect(index.cases.map(({ name, classVoxels }) => [name, classVoxels[1]!.voxels])).toEqual([
      ['anna', 70],
      ['bert', 70],
    ]);
  });

  it('lists images without a label beside labelled ones, but no label without an image', async () => {
    const path = join(root, 'mixed');
    await layOutNnunet(path);
    rmSync(join(path, 'labelsTr', 'glioma_002.nii.gz'));
    rmSync(join(path, 'labelsTr', 'glioma_004.nii.gz'));
    const glob = {
      images: ['imagesTr/*_0000.nii.gz', 'imagesTr/*_0001.nii.gz'],
      labels: 'labelsTr/*.nii.gz',
    };
    const folder = { layout: 'folder', modality: 'mr', path, ...glob, classes: { 1: 'a', 2: 'b', 3: 'c' } };
    for (const entry of [folder, { layout: 'nnunet', path }]) {
      const { cases, notes } = await listed(entry);
      expect(
        cases.map(({ name, label, problem, images }) => [name, label && 1, problem, images.length]),
      ).toEqual(
        ['001', '002', '003', '004', '005'].map((n) => [
          `glioma_${n}`,
          ['002', '004'].includes(n) ? undefined : 1,
          undefined,
          2,
        ]),
      );
      expect(cases.filter(({ label }) => !label).map(({ split }) => split)).toEqual(['training', 'training']);
      expect(notes).toContain(
        `2 scans have no label beside 3 that have one, the first is ${join(path, 'imagesTr', 'glioma_002_0000.nii.gz')}: ` +
          'pre-training takes them, fine-tuning leaves them out',
      );
    }
    await expect(listed({ ...folder, labels: 'labels/*_seg.nii.gz' })).rejects.toThrow(
      `no file below ${path} matches "${join(path, 'labels/*_seg.nii.gz')}": correct "labels", or leave it out to use images alone`,
    );
    renameSync(join(path, 'labelsTr', 'glioma_003.nii.gz'), join(path, 'labelsTr', 'glioma_3.nii.gz'));
    expect((await listed(folder)).cases.find(({ name }) => name === 'glioma_3')?.problem).toMatch(
      /^the label .*glioma_3\.nii\.gz has no image/,
    );
  });

  it('takes every scan below the path, or one glob a channel', async () => {
    const path = join(root, 'any');
    await layOutFolder(join(path, 'ward 3'));
    expect((await listed({ layout: 'folder', modality: 'ct', path })).cases).toHaveLength(10);
    const nnunet = join(root, 'any-channels');
    await layOutNnunet(nnunet);
    const channels = await listed({
      layout: 'folder',
      modality: 'mr',
      path: nnunet,
      images: ['imagesTr/*_0000.nii.gz', 'imagesTr/*_0001.nii.gz'],
    });
    expect(channels.cases.map(({ name, images }) => [name, images.length])).toEqual(
      ['001', '002', '003', '004', '005'].map((n) => [`glioma_${n}`, 2]),
    );
  });
});
