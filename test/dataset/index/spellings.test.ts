import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDatasetFile } from '../../../src/dataset/index/dataset-file.js';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import { checkDatasets, prepareDatasets } from '../../../src/dataset/index.js';
import { referenceFile } from '../../volume/references.js';
import { temporaryFolder, writeCase, writeJson } from '../generated-data.js';
import {
  layOutAtm22,
  layOutBrats,
  layOutBtcv,
  layOutCovid1920,
  layOutFlare21,
  layOutLuna16,
  layOutMsd,
  layOutNnunet,
} from './release-fixtures.js';

const root = temporaryFolder();
let written = 0;

async function listed(entry: object) {
  const file = writeJson(join(root, `datasets-${written++}.json`), { schema: 1, datasets: { d: entry } });
  const [dataset] = await indexDatasets(await readDatasetFile(file));
  return dataset!;
}

/** Renames every file below a folder. */
function renameAll(folder: string, rename: (name: string) => string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, name);
    const renamed = join(dirname(file), rename(file.slice(dirname(file).length + 1)));
    if (/\.(nii|gz|mhd)$/.test(file)) renameSync(file, renamed);
  }
}

const endingsUp = (name: string) => name.replace(/\.(nii(\.gz)?|mhd)$/, (ending) => ending.toUpperCase());
const gzUp = (name: string) =>
  name.replace(/\.(nii\.gz|mhd)$/, (ending) => (ending === '.mhd' ? '.Mhd' : '.Nii.gz'));

describe.each<[string, (folder: string) => Promise<void>, object]>([
  ['btcv', (folder) => layOutBtcv(folder, 'monai'), {}],
  ['brats', (folder) => layOutBrats(folder, 2020), {}],
  ['brats', (folder) => layOutBrats(folder, 2023), {}],
  ['atm22', layOutAtm22, {}],
  ['luna16', layOutLuna16, {}],
  ['covid-19-20', layOutCovid1920, {}],
  ['flare21', layOutFlare21, {}],
  ['nnunet', layOutNnunet, {}],
])('the layout %s', (layout, layOut, extra) => {
  it('has the same cases where endings are written in capitals', async () => {
    const path = join(root, `${layout}-${written}`);
    await layOut(path);
    const before = await listed({ layout, path, ...extra });
    const filesOf = ({ cases }: typeof before) =>
      cases.map(({ name, images, label, problem }) => [name, images.length, label !== undefined, problem]);
    for (const rename of [gzUp, endingsUp]) {
      renameAll(path, rename);
      const after = await listed({ layout, path, ...extra });
      expect(filesOf(after)).toEqual(filesOf(before));
      expect(after.cases.flatMap(({ images }) => images).every((file) => /\.(nii\.gz|mhd)$/.test(file))).toBe(
        false,
      );
    }
  });
});

describe('the layout btcv', () => {
  it('finds its scans where whole names are in capitals', async () => {
    const path = join(root, 'capitals');
    await layOutBtcv(path, 'monai');
    renameAll(path, (name) => name.toUpperCase());
    const { cases } = await listed({ layout: 'btcv', path });
    expect(cases.map(({ name, problem }) => [name, problem])).toEqual(
      ['1', '2', '3', '4', '5'].map((n) => [`img000${n}`, undefined]),
    );
  });
});

describe('the layout folder', () => {
  const path = join(root, 'folder');
  const endings = ['.nii.gz', '.NII.GZ', '.NII', '.Nii.gz', '.Nii.GZ'];

  it('takes scans of any spelling of their ending, by default and by a glob, and reads them', async () => {
    for (const [i, ending] of endings.entries()) {
      await writeCase(path, `s${i}`, [9 + i, 8, 7], { label: false });
      renameSync(join(path, `s${i}.nii.gz`), join(path, `s${i}${ending}`));
    }
    const names = endings.map((_, i) => `s${i}`);
    const entry = { layout: 'folder', modality: 'ct', path };
    expect((await listed(entry)).cases.map(({ name }) => name)).toEqual(names);
    for (const [images, expected] of [
      ['*.nii.gz', ['s0', 's1', 's3', 's4']],
      ['*.NII', ['s2']],
      ['*.{NII,nii.GZ}', names],
      ['S*.nii.gz', undefined],
    ] as const) {
      const found = listed({ ...entry, images });
      if (expected)
        expect(
          (await found).cases.map(({ name }) => name),
          images,
        ).toEqual(expected);
      else await expect(found).rejects.toThrow(/no file below .* matches/);
    }
    const datasetsFile = writeJson(join(root, 'folder.json'), { schema: 1, datasets: { d: entry } });
    const { prepared, skipped } = await prepareDatasets({ datasetsFile, out: join(root, 'out'), workers: 1 });
    expect([prepared, skipped]).toEqual([5, []]);
  });

  it('names the images that no glob matches, and not the slices of a series that one does', async () => {
    const folder = join(root, 'left-out');
    await writeCase(join(folder, 'deep'), 'b', [9, 8, 7], { label: false });
    await writeCase(folder, 'a', [9, 8, 7], { label: false });
    for (const name of ['d.mgz', 'e.nii.bz2', 'f.DCM', 'notes.txt', 'g.raw'])
      writeFileSync(join(folder, name), 'x');
    symlinkSync(join(process.cwd(), referenceFile('dicom/equal')), join(folder, 'series'));
    const entry = { layout: 'folder', modality: 'ct', path: folder };
    expect((await listed({ ...entry, images: '*.nii.gz' })).notes).toEqual([
      `8 image files match neither "images" nor "labels" and are left out, the first ${join(folder, 'd.mgz')}`,
    ]);
    expect((await listed({ ...entry, images: 'series/' })).notes).toEqual([
      `5 image files match neither "images" nor "labels" and are left out, the first ${join(folder, 'a.nii.gz')}`,
    ]);
  });

  it('says of a folder that is a link to nowhere what it is', async () => {
    symlinkSync(join(root, 'nowhere'), join(root, 'broken'));
    await expect(listed({ layout: 'folder', modality: 'ct', path: join(root, 'broken') })).rejects.toThrow(
      /the dataset folder .*broken is a link that leads nowhere: correct "path"/,
    );
  });
});

describe('the layout msd', () => {
  /** Its `dataset.json` with a validation list, as MONAI's lists have it, and what else there may be. */
  async function layOut(name: string, change: (json: Record<string, unknown[]>) => void): Promise<string> {
    const path = join(root, name);
    await layOutMsd(path, 'Liver');
    const file = join(path, 'dataset.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown[]>;
    change(json);
    writeJson(file, json);
    return path;
  }
  const splitsOf = ({ cases }: Awaited<ReturnType<typeof listed>>) =>
    Object.fromEntries(
      cases.map(({ name, split, label }) => [name, label === undefined ? `${split}, no label` : split]),
    );

  it('takes the cases of the lists "validation" and "test" that have labels into those splits', async () => {
    const path = await layOut('msd-lists', (json) => {
      json.validation = json.training!.splice(3, 1);
      json.test!.push(...json.training!.splice(3, 1));
    });
    expect(splitsOf(await listed({ layout: 'msd', path }))).toEqual({
      liver_0: 'training',
      liver_1: 'training',
      liver_2: 'training',
      liver_3: 'validation',
      liver_4: 'test',
    });
    const images = await listed({ layout: 'msd', path, withLabels: false, includeTest: true });
    expect(images.cases.map(({ name }) => name).sort()).toEqual(
      ['0', '1', '131', '2', '3', '4'].map((n) => `liver_${n}`),
    );
  });

  it('takes images of "validation" without labels for test scans, and says so where they are left out', async () => {
    const path = await layOut('msd-unlabelled', (json) => {
      const [last] = json.training!.splice(4, 1) as { image: string }[];
      json.validation = [last!.image];
    });
    const { cases, notes } = await listed({ layout: 'msd', path });
    expect([cases.length, notes[0]]).toEqual([
      4,
      `2 scans without labels are left out, the first ${join(path, 'imagesTr/liver_4.nii.gz')}: set "includeTest" to take them in`,
    ]);
    const all = splitsOf(await listed({ layout: 'msd', path, includeTest: true }));
    expect([all.liver_4, all.liver_131]).toEqual(['test, no label', 'test, no label']);
  });

  it('names lists that nobody reads, and scans that none lists', async () => {
    const path = await layOut('msd-more', (json) => {
      json.unlabeled = json.training!.splice(2, 2);
    });
    const { notes } = await listed({ layout: 'msd', path, includeTest: true });
    expect(notes).toEqual([
      'dataset.json lists 2 scans as "unlabeled", which are left out: only "training", "validation" and "test" are read',
      `4 image files are listed by no "training", "validation" or "test" of dataset.json and are left out, the first ${join(path, 'imagesTr/liver_2.nii.gz')}`,
    ]);
  });
});

describe('the account of files', () => {
  it('has scans in the spelling of any system', async () => {
    const path = join(root, 'account');
    mkdirSync(path);
    for (const name of ['A.NRRD', 'B.Mha', 'C.IMA', 'D.NII.ZST']) writeFileSync(join(path, name), 'x');
    await writeCase(path, 'a', [9, 8, 7], { label: false });
    const datasetsFile = writeJson(join(root, 'account.json'), {
      schema: 1,
      datasets: { d: { layout: 'folder', modality: 'ct', path, images: '*.nii.gz' } },
    });
    const { datasets } = await checkDatasets({ datasetsFile, workers: 1 });
    expect(datasets[0]!.files.notUsed.map(({ reason, examples }) => [reason, examples])).toEqual([
      ['unmatched', ['A.NRRD', 'B.Mha']],
      ['other-format', ['C.IMA', 'D.NII.ZST']],
    ]);
  });
});
