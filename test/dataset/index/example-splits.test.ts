import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { indexDatasets } from '../../../src/dataset/index/index-datasets.js';
import type { SourceDataset } from '../../../src/dataset/index/listed-case.js';
import { readDatasetFile } from '../../../src/dataset/index.js';
import { temporaryFolder } from '../../temporary-folder.js';

const folder = temporaryFolder();

/** Names 1 to `count`, padded. */
const numbered = (count: number, digits: number, name: (number: string) => string): string[] =>
  Array.from({ length: count }, (_, i) => name(String(i + 1).padStart(digits, '0')));

/** The files of each collection as it is unpacked, by the variable that names its folder. */
const releases: Readonly<Record<string, readonly string[]>> = {
  ATM22: ['images', 'labels'].flatMap((kind) =>
    numbered(150, 3, (n) => `TrainBatch1/${kind}Tr/ATM_${n}_0000.nii.gz`),
  ),
  LUNA16: numbered(888, 3, (n) => `subset${n.at(-1)}/1.3.6.1.4.1.${n}.mhd`),
  COVID1920: [
    ...numbered(199, 4, (n) => `Train/volume-covid19-A-${n}_ct.nii.gz`),
    ...numbered(199, 4, (n) => `Train/volume-covid19-A-${n}_seg.nii.gz`),
    ...numbered(50, 3, (n) => `Validation/volume-covid19-A-1${n}_ct.nii.gz`),
    ...numbered(46, 3, (n) => `Test/volume-covid19-B-2${n}_ct.nii.gz`),
  ],
  FLARE21: [
    ...numbered(361, 3, (n) => `TrainingImg/train_${n}_0000.nii.gz`),
    ...numbered(361, 3, (n) => `TrainingMask/train_${n}.nii.gz`),
    ...numbered(50, 3, (n) => `ValidationImg/validation_${n}_0000.nii.gz`),
  ],
  BTCV: [
    ...numbered(30, 4, (n) => `RawData/Training/img/img${n}.nii.gz`),
    ...numbered(30, 4, (n) => `RawData/Training/label/label${n}.nii.gz`),
    ...numbered(20, 4, (n) => `RawData/Testing/img/img1${n}.nii.gz`),
  ],
  BRATS: ['flair', 't1', 't1ce', 't2', 'seg'].flatMap((part) =>
    numbered(369, 3, (n) => `BraTS20_Training_${n}/BraTS20_Training_${n}_${part}.nii.gz`),
  ),
};

/** Of the Decathlon, whose cases stand in its `dataset.json`: labelled ones and those of its test set. */
const decathlon = {
  Task03_Liver: { stem: 'liver', labels: { 0: 'background', 1: 'liver', 2: 'cancer' }, counts: [131, 70] },
  Task09_Spleen: { stem: 'spleen', labels: { 0: 'background', 1: 'spleen' }, counts: [41, 20] },
} as const;

/** Rows of the page: dataset, cases, training, validation. */
const documented = new Map(
  [
    ...readFileSync('docs/prepare.md', 'utf8').matchAll(/^\| `([\w-]+)` \| (\d+) \| (\d+) \| (\d+) \|$/gm),
  ].map(([, name, ...counts]) => [name!, counts.map(Number)] as const),
);

let datasets: SourceDataset[];
beforeAll(async () => {
  for (const [variable, files] of Object.entries(releases)) {
    vi.stubEnv(variable, join(folder, variable));
    for (const file of files) {
      mkdirSync(dirname(join(folder, variable, file)), { recursive: true });
      writeFileSync(join(folder, variable, file), '');
    }
  }
  vi.stubEnv('MSD', folder);
  for (const [task, { stem, labels, counts }] of Object.entries(decathlon)) {
    mkdirSync(join(folder, task));
    const training = numbered(counts[0], 1, (n) => `${stem}_${n}.nii.gz`);
    const content = {
      labels,
      modality: { 0: 'CT' },
      training: training.map((name) => ({ image: `./imagesTr/${name}`, label: `./labelsTr/${name}` })),
      test: numbered(counts[1], 1, (n) => `./imagesTs/${stem}_2${n}.nii.gz`),
    };
    writeFileSync(join(folder, task, 'dataset.json'), JSON.stringify(content));
  }
  const file = await readDatasetFile('datasets.example.json');
  const own = Object.keys(file.datasets).filter((name) => !name.startsWith('own-'));
  datasets = await indexDatasets(file, own);
});

describe('the split of datasets.example.json', () => {
  it('is what the page says for every public dataset, and 80/20', () => {
    expect(documented.size).toBe(8);
    const found = datasets.map(({ name, cases }) => {
      const count = (split: string) => cases.filter((listed) => listed.split === split).length;
      return [name, [cases.length, count('training'), count('validation')]] as const;
    });
    expect(new Map(found)).toEqual(documented);
    for (const [cases = 0, training = 0, validation = 0] of documented.values()) {
      expect(training + validation).toBe(cases);
      expect(validation).toBe(Math.round(0.2 * cases));
    }
  });

  it('is drawn by the seed, not taken from the head of the list', () => {
    const { cases } = datasets.find(({ name }) => name === 'msd-liver')!;
    const held = cases.filter(({ split }) => split === 'validation').map(({ name }) => name);
    expect(held).not.toEqual(cases.slice(0, held.length).map(({ name }) => name));
    const inName = (name: string) => Number(name.split('_')[1]);
    expect(Math.max(...held.map(inName))).toBeGreaterThan(80);
    expect(Math.min(...held.map(inName))).toBeLessThan(40);
  });
});
