import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CheckResult, checkDatasets, type FileAccount } from '../../../src/dataset/index.js';
import { referenceFile } from '../../volume/references.js';
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
} from '../index/release-fixtures.js';

const root = temporaryFolder();
let written = 0;

async function check(entry: object, others: object = {}): Promise<CheckResult> {
  const datasetsFile = writeJson(join(root, `datasets-${written++}.json`), {
    schema: 1,
    datasets: { d: entry, ...others },
  });
  return checkDatasets({ datasetsFile, workers: 1 });
}

/** What `find` counts: files, and links that lead nowhere, with links followed. */
function filesBelow(folder: string): number {
  // Ends with 1 where a link leads back to a folder above it, which it leaves out.
  const find = `find -L '${folder}' \\( -type f -o -type l \\) -print0 2>/dev/null | tr -cd '\\0' | wc -c`;
  return Number(execFileSync('sh', ['-c', find], { encoding: 'utf8' }));
}

const sumOf = ({ used, notUsed }: FileAccount): number =>
  [...Object.values(used), ...notUsed.map(({ count }) => count)].reduce((sum, n) => sum + n, 0);

const reasonsOf = ({ notUsed }: FileAccount): Record<string, number> =>
  Object.fromEntries(notUsed.map(({ reason, count }) => [reason, count]));

/** What lies about in folders of data, below any folder: some of each kind. */
function litter(folder: string): void {
  mkdirSync(join(folder, 'notes/deep/er'), { recursive: true });
  mkdirSync(join(folder, '__MACOSX/imagesTr'), { recursive: true });
  mkdirSync(join(folder, '.cache'), { recursive: true });
  const contents: Record<string, string> = {
    'LICENSE.txt': 'free',
    'README.md': 'read me',
    'notes/deep/er/thoughts.csv': 'a,b\n',
    'notes/Thumbs.db': 'pictures',
    '.DS_Store': 'Finder',
    'notes/.DS_Store': 'Finder',
    '__MACOSX/imagesTr/._scan.nii.gz': 'twin',
    '._scan.nii.gz': 'twin',
    '.cache/scan.nii.gz': 'hidden',
    'scan.nii.bz2': 'BZh9',
    'scan.mgz': 'MGH',
    'notes/empty.nii.gz': '',
    'notes/empty': '',
    'notes/SCAN.NII': 'no scan at all',
  };
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content);
  symlinkSync(join(folder, 'nowhere'), join(folder, 'notes/broken'));
  symlinkSync('../README.md', join(folder, 'notes/linked.md'));
  symlinkSync('..', join(folder, 'notes/back'));
  for (let i = 0; i < 20; i++) writeFileSync(join(folder, `notes/page-${i}.txt`), 'text');
}

/** What `litter` leaves, by the reason; `unmatched` is left out, since some layouts list such a file. */
const littered = {
  hidden: 3,
  'macos-twin': 2,
  'broken-link': 1,
  'other-format': 1,
  empty: 2,
  'no-scan': 25,
};

const layouts: readonly (readonly [string, (folder: string) => Promise<void>, object, object])[] = [
  ['msd', (folder) => layOutMsd(folder, 'Liver'), {}, { 'without-labels': 1, 'macos-twin': 3, unmatched: 2 }],
  ['btcv', (folder) => layOutBtcv(folder, 'synapse'), {}, { 'without-labels': 2, unmatched: 2 }],
  ['brats', (folder) => layOutBrats(folder, 2023), {}, { 'without-labels': 4, 'no-scan': 26, unmatched: 2 }],
  ['atm22', layOutAtm22, { withLabels: false }, { 'label-not-wanted': 5, unmatched: 2 }],
  ['luna16', layOutLuna16, {}, { unmatched: 3, 'other-format': 2, 'no-scan': 26 }],
  [
    'covid-19-20',
    layOutCovid1920,
    { exclude: ['volume-covid19-A-0003'] },
    { excluded: 2, 'without-labels': 1, unmatched: 2 },
  ],
  ['flare21', layOutFlare21, { includeTest: true }, { unmatched: 2 }],
  ['nnunet', layOutNnunet, { includeTest: true }, { unmatched: 2 }],
];

describe('the account of the files of a dataset', () => {
  it.each(layouts)(
    'has every file of the layout %s and of what lies about, once',
    async (layout, layOut, extra, reasons) => {
      const folder = join(root, layout);
      await layOut(folder);
      litter(folder);
      const { datasets } = await check({ layout, path: folder, ...extra });
      const { files } = datasets[0]!;
      expect(files.files).toBe(filesBelow(folder));
      expect(sumOf(files)).toBe(files.files);
      expect(reasonsOf(files)).toEqual({ ...littered, ...reasons });
      expect(files.notEntered).toEqual([join(folder, 'notes/back')]);
      for (const { examples, count } of files.notUsed) expect(examples).toHaveLength(Math.min(3, count));
    },
  );

  it('adds up over a tree of three hundred files of mixed kinds, whichever layout looks at it', async () => {
    const folder = join(root, 'mixed');
    await layOutFolder(join(folder, 'own'));
    await layOutNnunet(join(folder, 'nn'));
    await layOutBrats(join(folder, 'brats'), 2020);
    await layOutLuna16(join(folder, 'luna'));
    for (const name of ['one', 'two'])
      cpSync(referenceFile('dicom/equal'), join(folder, 'series', name), { recursive: true });
    litter(folder);
    litter(join(folder, 'own'));
    litter(join(folder, 'series/one'));
    symlinkSync(join(folder, 'nn/imagesTr'), join(folder, 'linked-images'));
    for (let i = 0; filesBelow(folder) < 300; i++)
      writeFileSync(
        join(
          folder,
          `${['a', 'b', 'c'][i % 3]}-${i}${['.txt', '.nii.gz', '', '.png', '.raw', '.DCM'][i % 6]}`,
        ),
        i % 4 ? 'x' : '',
      );
    const total = filesBelow(folder);
    expect(total).toBe(300);
    const entries = [
      { layout: 'folder', modality: 'mr', path: folder },
      { layout: 'folder', modality: 'ct', path: folder, images: 'series/*/' },
      { layout: 'brats', path: folder },
      { layout: 'luna16', path: folder },
    ];
    for (const entry of entries) {
      const { datasets } = await check(entry);
      const { files } = datasets[0]!;
      expect([files.files, sumOf(files)], JSON.stringify(entry)).toEqual([total, total]);
    }
    const { datasets } = await check(entries[1]!);
    expect(datasets[0]!.files.used).toMatchObject({ image: 0, part: 8 });
    expect(reasonsOf(datasets[0]!.files)['no-slice']).toBeGreaterThan(0);
  });
});
