import {
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CheckResult, checkDatasets, prepareDatasets } from '../../../src/dataset/index.js';
import { InterruptedError } from '../../../src/errors.js';
import { readVolume, type Triple, writeNifti } from '../../../src/volume/index.js';
import {
  asLabel,
  datasetIndex,
  labelledCase,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../generated-data.js';
import { layOutBrats, layOutFlare21 } from '../index/release-fixtures.js';

const root = temporaryFolder();
const size: Triple = [14, 12, 10];
const check = (datasetsFile: string, workers = 2) => checkDatasets({ datasetsFile, workers });

/** What `check` says of each case, as `kind: sentence`. */
function findingsOf({ findings }: CheckResult): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { id, kind, severity, message } of findings) {
    const name = id.split('/')[1]!;
    found[name] = [...(found[name] ?? []), `${severity} ${kind}: ${message}`];
  }
  return found;
}

/** Name, time and bytes of everything below a folder. */
function stateOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const found = statSync(join(folder, name));
      return `${name} ${found.mtimeMs} ${found.isFile() ? readFileSync(join(folder, name)).toString('base64') : ''}`;
    });
}

describe('checking a set with something wrong in nearly every case', () => {
  const folder = join(root, 'odd');
  const file = (name: string) => join(folder, `${name}.nii.gz`);
  const datasetsFile = join(folder, 'datasets.json');
  let result: CheckResult;
  let found: Record<string, string[]>;
  let before: string[];

  beforeAll(async () => {
    const names = [
      'good',
      'same',
      'missing',
      'truncated',
      'moved',
      'shifted',
      'foreign',
      'nan',
      'infinite',
      'constant',
      'air',
      'empty',
      'thick',
    ];
    for (const [i, name] of names.entries()) await writeCase(folder, name, [size[0] + i, size[1], size[2]]);
    copyFileSync(file('good'), file('same'));
    copyFileSync(file('good_label'), file('same_label'));
    rmSync(file('missing'));
    truncateSync(file('truncated'), 300);
    const labelOf = (extra: number) => asLabel(volumeOf([size[0] + extra, size[1], size[2]], () => 1));
    await writeNifti(file('moved_label'), {
      ...labelOf(4),
      affine: { rows: [1, 0, 0, 2, 0, 1, 0, 0, 0, 0, 1, 0] },
    });
    await writeNifti(file('shifted_label'), labelOf(0));
    await writeNifti(
      file('foreign_label'),
      asLabel(volumeOf([size[0] + 6, size[1], size[2]], (x) => (x === 3 ? 9 : 0))),
    );
    const holding = (extra: number, value: number) =>
      volumeOf([size[0] + extra, size[1], size[2]], (x, y, z) =>
        x === 3 && y === 2 && z === 1 ? value : 40 + x,
      );
    await writeNifti(file('nan'), holding(7, Number.NaN));
    await writeNifti(file('infinite'), holding(8, Number.POSITIVE_INFINITY));
    const flat = (extra: number, value: number) => volumeOf([size[0] + extra, size[1], size[2]], () => value);
    await writeNifti(file('constant'), flat(9, 40));
    await writeNifti(file('air'), flat(10, -1000));
    await writeNifti(file('empty_label'), asLabel(flat(11, 0)));
    await writeCase(folder, 'thick', [size[0] + 12, size[1], size[2]], { spacing: [1, 1, 10] });
    await writeCase(folder, 'alone', [size[0] + 13, size[1], size[2]], { label: false });
    await writeCase(folder, 'test-alone', [size[0] + 14, size[1], size[2]], { label: false });
    await writeNifti(file('two'), {
      ...volumeOf([16, 12, 20], (x, y, z) => x + y + z),
      size: [16, 12, 10],
      channels: 2,
    });
    const cases = [
      ...names.map((name) => labelledCase(name, { split: name === 'same' ? 'validation' : 'training' })),
      { id: 'alone', image: 'alone.nii.gz' },
      { id: 'test-alone', image: 'test-alone.nii.gz', split: 'test' },
      { id: 'two', image: 'two.nii.gz', split: 'test' },
    ];
    writeJson(datasetsFile, datasetIndex(cases, { foregroundThreshold: -1000 }));
    before = stateOf(folder);
    result = await check(datasetsFile);
    found = findingsOf(result);
  });

  it('says nothing of good cases, and 3 for those that are unusable', () => {
    expect(found.good).toBeUndefined();
    expect(found['test-alone']).toBeUndefined();
    expect(result.exitCode).toBe(3);
    expect(result.datasets).toMatchObject([
      {
        name: 'ct',
        cases: 16,
        labelled: 13,
        unusable: 8,
        channels: [1, 2],
        notes: [
          `1 scan has no label beside 13 that have one, the first is ${file('alone')}: pre-training takes them, fine-tuning leaves them out`,
        ],
      },
    ]);
    expect(result.datasets[0]!.spacing).toEqual({ min: [1, 1, 1], max: [1, 1, 10] });
  });

  it('changes nothing on disk', () => {
    expect(stateOf(folder)).toEqual(before);
  });

  it.each<[string, () => string[]]>([
    ['missing', () => [`unusable unreadable: ${file('missing')} does not exist: check the path`]],
    [
      'moved',
      () => [
        `unusable mixed-grids: label ${file('moved_label')} lies elsewhere than its image ${file('moved')}: the affines put a corner 2.00 mm apart; they must share one grid (label: 18x12x10 voxels of 1 x 1 x 1 mm, axes to RAS, first voxel at [2, 0, 0] mm; image: 18x12x10 voxels of 1 x 1 x 1 mm, axes to RAS, first voxel at [0, 0, 0] mm); where the voxels belong together and a header is wrong, set "aligned": true in the dataset index`,
      ],
    ],
    [
      'shifted',
      () => [
        `unusable mixed-grids: label ${file('shifted_label')} has 14x12x10 voxels, but its image ${file('shifted')} has 19x12x10: they must share one grid`,
      ],
    ],
    [
      'foreign',
      () => [
        `unusable foreign-label: label ${file('foreign_label')} holds the value 9, but the task's classes are 0 background, 1 liver, 2 tumour: add the class, or map the value with "labelMap"`,
      ],
    ],
    [
      'nan',
      () => [
        `unusable not-finite: image ${file('nan')} holds NaN at voxel [3,2,1], but intensities must be finite numbers: repair it, leave the case out, or say what such voxels become with "notFinite": 0`,
      ],
    ],
    [
      'infinite',
      () => [
        `unusable not-finite: image ${file('infinite')} holds Infinity (or a number that float32 cannot hold) at voxel [3,2,1], but intensities must be finite numbers: repair it, leave the case out, or say what such voxels become with "notFinite": 0`,
      ],
    ],
    [
      'constant',
      () => [
        `odd constant: image ${file('constant')} is 40 everywhere: it shows nothing, so look at it or leave the case out`,
      ],
    ],
    [
      'air',
      () => [
        `odd constant: image ${file('air')} is -1000 everywhere: it shows nothing, so look at it or leave the case out`,
        `unusable no-foreground: ${file('air')} has no voxel above the foreground threshold -1000: lower "foregroundThreshold" or check the scan's intensities`,
      ],
    ],
    [
      'empty',
      () => [
        `odd empty-label: label ${file('empty_label')} holds background alone: none of the classes is in it`,
      ],
    ],
    [
      'same',
      () => [
        `odd duplicate: image ${file('same')} has the same voxels as ${file('good')} of ct/good (training; this one is validation): leave one out, or keep both in one split`,
      ],
    ],
    [
      'thick',
      () => [
        `odd spacing-outlier: image ${file('thick')} has a spacing of 1 x 1 x 10 mm, but the median of "ct" is 1 mm along z: check its unit and header`,
      ],
    ],
    [
      'two',
      () => [
        `odd channels: ${file('two')} has 2 channels, but most cases of "ct" have 1: one network cannot take both`,
      ],
    ],
  ])('says in a sentence what is wrong with "%s"', (name, expected) => {
    expect(found[name]).toEqual(expected());
  });

  it('says in a sentence that a file is truncated', () => {
    expect(found.truncated).toEqual([
      expect.stringMatching(
        /^unusable unreadable: .*truncated.nii.gz is damaged or truncated: .*copy or download it again$/,
      ),
    ]);
  });

  it('calls unusable what prepare skips, and nothing else', async () => {
    const { skipped } = await prepareDatasets({ datasetsFile, out: join(root, 'odd-prepared'), workers: 2 });
    const unusable = result.findings.filter(({ severity }) => severity === 'unusable');
    expect(unusable.map(({ id }) => id)).toEqual(skipped.map(({ id }) => id));
    for (const { id, reason } of skipped) {
      if (id !== 'ct/missing') expect(unusable.find((finding) => finding.id === id)!.message).toBe(reason);
    }
  });

  it('gives the same answer with any number of workers', async () => {
    expect(await check(datasetsFile, 1)).toEqual(result);
  });

  it('stops when it is interrupted', async () => {
    const controller = new AbortController();
    const interrupted = checkDatasets({
      datasetsFile,
      workers: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(interrupted).rejects.toBeInstanceOf(InterruptedError);
    await expect(interrupted).rejects.toThrow(
      /the check was interrupted after \d+ of 16 cases: nothing was changed/,
    );
  });
});

describe('checking a release', () => {
  it('names a missing modality, a label without image, an image without label, modalities that are one file, and what was left out', async () => {
    const path = join(root, 'brats');
    await layOutBrats(path, 2020);
    const training = join(path, 'MICCAI_BraTS2020_TrainingData');
    const file = (n: string, part: string) =>
      join(training, `BraTS20_Training_${n}`, `BraTS20_Training_${n}_${part}.nii.gz`);
    rmSync(file('001', 't2'));
    rmSync(file('002', 'seg'));
    for (const part of ['flair', 't1', 't1ce', 't2']) rmSync(file('003', part));
    copyFileSync(file('004', 't1'), file('004', 't1ce'));
    const datasetsFile = writeJson(join(root, 'brats.json'), {
      schema: 1,
      datasets: { brats: { layout: 'brats', path } },
    });
    const result = await check(datasetsFile);
    expect(findingsOf(result)).toEqual({
      BraTS20_Training_001: [
        expect.stringMatching(
          /^unusable incomplete: the case BraTS20_Training_001 lacks its T2 image in .*: download the case again$/,
        ),
      ],
      BraTS20_Training_002: [
        expect.stringMatching(
          /^unusable incomplete: the image .*_002_flair.nii.gz has no label, but others beside it have one: download the label/,
        ),
      ],
      BraTS20_Training_003: [
        expect.stringMatching(
          /^unusable incomplete: the label .*_003_seg.nii.gz has no image: download the image/,
        ),
      ],
      BraTS20_Training_004: [
        `odd duplicate: image ${file('004', 't1ce')} has the same voxels as ${file('004', 't1')} of the same case: leave one out, or keep both in one split`,
      ],
    });
    expect(result.datasets[0]!.notes).toEqual([
      expect.stringMatching(
        /^1 scans without labels are left out, the first .*BraTS20_Validation_001_flair.nii.gz/,
      ),
    ]);
    expect(result.exitCode).toBe(3);
  });

  it('is content with one as it is downloaded, and finds a scan again that another dataset has in another format', async () => {
    const path = join(root, 'flare');
    await layOutFlare21(path);
    const plain = join(root, 'plain');
    await writeCase(plain, 'own', size);
    writeFileSync(
      join(plain, 'train_000.nii'),
      gunzipSync(readFileSync(join(path, 'TrainingImg', 'train_000_0000.nii.gz'))),
    );
    const folder = { layout: 'folder', modality: 'ct', path: plain, images: '*.nii' };
    const datasetsFile = writeJson(join(root, 'flare.json'), {
      schema: 1,
      datasets: { flare: { layout: 'flare21', path, includeTest: true }, own: folder },
    });
    const { findings, exitCode, datasets } = await check(datasetsFile);
    expect(exitCode).toBe(0);
    expect(findings.map(({ id, kind }) => [id, kind])).toEqual([['own/train_000', 'duplicate']]);
    expect(datasets.map(({ name, cases, labelled }) => [name, cases, labelled])).toEqual([
      ['flare', 7, 5],
      ['own', 1, 0],
    ]);
  });
});

describe('one scan under several names', () => {
  it('is found whether its axes are stored another way or its directions were lost', async () => {
    const folder = join(root, 'again');
    await writeCase(folder, 'scan', size, { label: false });
    const scan = await readVolume(join(folder, 'scan.nii.gz'));
    const mirrored = scan.data.map((_, i) => scan.data[i - 2 * (i % size[0]) + size[0] - 1]!);
    const toLeft = { rows: [-1, 0, 0, size[0] - 1, 0, 1, 0, 0, 0, 0, 1, 0] };
    await writeNifti(join(folder, 'turned.nii.gz'), { ...scan, affine: toLeft, data: mirrored });
    await writeNifti(join(folder, 'lost.nii.gz'), { ...scan, affine: toLeft });
    await writeNifti(join(folder, 'other.nii.gz'), { ...scan, data: scan.data.map((value) => value + 1) });
    const cases = ['scan', 'turned', 'lost', 'other'].map((id) => ({ id, image: `${id}.nii.gz` }));
    const { findings } = await check(writeJson(join(folder, 'datasets.json'), datasetIndex(cases)));
    expect(findings.map(({ id, kind }) => [id, kind])).toEqual([
      ['ct/turned', 'duplicate'],
      ['ct/lost', 'duplicate'],
    ]);
  });
});

describe('a corrupted file among fifty', () => {
  it('is reported, the other 49 are prepared, and both say 3', async () => {
    const folder = join(root, 'fifty');
    const names = Array.from({ length: 50 }, (_, i) => `scan${String(i).padStart(2, '0')}`);
    for (const [i, name] of names.entries())
      await writeCase(folder, name, [10 + (i % 5), 9, 8 + Math.floor(i / 5)]);
    const corrupted = join(folder, 'scan23.nii.gz');
    const bytes = readFileSync(corrupted);
    writeFileSync(corrupted, bytes.fill(0, bytes.length / 2, bytes.length / 2 + 40));
    const datasetsFile = writeJson(
      join(folder, 'datasets.json'),
      datasetIndex(names.map((name) => labelledCase(name))),
    );
    const checked = await check(datasetsFile);
    expect([checked.findings.map(({ id, kind }) => [id, kind]), checked.exitCode]).toEqual([
      [['ct/scan23', 'unreadable']],
      3,
    ]);
    const result = await prepareDatasets({ datasetsFile, out: join(folder, 'prepared'), workers: 2 });
    expect(result).toMatchObject({ prepared: 49, exitCode: 3 });
    expect(result.skipped.map(({ id, file, reason }) => [id, file, reason])).toEqual([
      ['ct/scan23', corrupted, checked.findings[0]!.message],
    ]);
  });
});
