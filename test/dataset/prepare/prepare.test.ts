import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type PrepareProgress,
  prepareDatasets,
  readPreparedIndex,
  readPreparedVolume,
  selectCases,
} from '../../../src/dataset/index.js';
import { DataError } from '../../../src/errors.js';
import { writeNifti } from '../../../src/volume/index.js';
import {
  asLabel,
  datasetIndex,
  labelledCase,
  tellingHu,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../generated-data.js';
import { preparedHashes } from '../prepared-hashes.js';

const root = temporaryFolder();
const size = [14, 12, 10] as const;

/** A folder of its own with the cases named, and how to prepare it. */
async function preparation(
  name: string,
  cases: readonly string[],
  content: (cases: readonly string[]) => unknown = indexOf,
) {
  const folder = join(root, name);
  for (const [i, id] of cases.entries()) await writeCase(folder, id, [size[0] + i, size[1], size[2]]);
  const datasetsFile = writeJson(join(folder, 'datasets.json'), content(cases));
  const out = join(folder, 'prepared');
  const seen: PrepareProgress[] = [];
  const run = (extra: object = {}) => {
    seen.length = 0;
    return prepareDatasets({
      datasetsFile,
      out,
      workers: 1,
      onProgress: (progress) => seen.push(progress),
      ...extra,
    });
  };
  return {
    folder,
    out,
    datasetsFile,
    run,
    redone: () => seen.filter(({ state }) => state === 'prepared').map(({ id }) => id),
    seen,
  };
}

const indexOf = (cases: readonly string[], extra: object = {}) =>
  datasetIndex(
    cases.map((id) => labelledCase(id)),
    extra,
  );

describe('preparing a mixed set', () => {
  it('prepares the good cases and lists each bad one with its file and one sentence', async () => {
    const bad = ['missing', 'truncated', 'absurd', 'shifted', 'smaller', 'foreign', 'air', 'nan'];
    const { folder, out, run, seen } = await preparation('mixed', ['good', 'also-good', ...bad]);
    const file = (name: string) => join(folder, `${name}.nii.gz`);
    copyFileSync(file('good'), file('truncated'));
    truncateSync(file('truncated'), 300);
    rmSync(file('missing'));
    writeFileSync(file('absurd'), withDimensions(file('absurd'), [32767, 32767, 32767]));
    const ones = (of: readonly [number, number, number]) => asLabel(volumeOf(of, () => 1));
    const elsewhere = ones([size[0] + 5, size[1], size[2]]);
    await writeNifti(file('shifted_label'), {
      ...elsewhere,
      affine: { rows: elsewhere.affine.rows.map((n, i) => (i === 3 ? n + 2 : n)) },
    });
    await writeNifti(file('smaller_label'), ones([size[0], size[1], size[2]]));
    await writeNifti(
      file('foreign_label'),
      asLabel(volumeOf([size[0] + 7, size[1], size[2]], (x) => (x === 3 ? 9 : 0))),
    );
    await writeNifti(
      file('air'),
      volumeOf([size[0] + 8, size[1], size[2]], () => -1000),
    );
    await writeNifti(
      file('nan'),
      volumeOf([size[0] + 9, size[1], size[2]], (x, y, z) =>
        x === 3 && y === 2 && z === 1 ? Number.NaN : 40,
      ),
    );
    const datasetsFile = writeJson(
      join(folder, 'cropped.json'),
      indexOf(['good', 'also-good', ...bad], { foregroundThreshold: -1000 }),
    );

    const result = await run({ datasetsFile });
    expect(result).toMatchObject({ prepared: 2, unchanged: 0, exitCode: 3 });
    const reasons = Object.fromEntries(
      result.skipped.map(({ id, reason }) => [id.replace('ct/', ''), reason]),
    );
    expect(Object.keys(reasons)).toEqual(bad);
    expect(reasons.missing).toBe(
      `image ${file('missing')} does not exist: correct its path in the dataset index`,
    );
    expect(reasons.truncated).toMatch(
      /truncated.nii.gz is damaged or truncated: .*copy or download it again$/,
    );
    expect(reasons.absurd).toMatch(
      /absurd.nii.gz: the header gives a size of 32767x32767x32767; .* so the header is damaged$/,
    );
    expect(reasons.shifted).toMatch(
      /^label .*shifted_label.nii.gz lies elsewhere than its image .*: the affines put a corner 2.00 mm apart/,
    );
    expect(reasons.smaller).toMatch(
      /^label .*smaller_label.nii.gz has 14x12x10 voxels, but its image .* has 20x12x10: they must share one grid$/,
    );
    expect(reasons.foreign).toMatch(
      /foreign_label.nii.gz holds the value 9, but the task's classes are 0 background, 1 liver, 2 tumour: add the class/,
    );
    expect(reasons.air).toBe(
      `${file('air')} has no voxel above the foreground threshold -1000: lower "foregroundThreshold" or check the scan's intensities`,
    );
    expect(reasons.nan).toBe(
      `image ${file('nan')} holds NaN at voxel [3,2,1], but intensities must be finite numbers: repair it, leave the case out, or say what such voxels become with "notFinite": 0`,
    );
    const files = Object.fromEntries(result.skipped.map(({ id, file }) => [id.replace('ct/', ''), file]));
    expect(files).toEqual({
      ...Object.fromEntries(
        ['missing', 'truncated', 'absurd', 'air', 'nan'].map((name) => [name, file(name)]),
      ),
      ...Object.fromEntries(['shifted', 'smaller', 'foreign'].map((name) => [name, file(`${name}_label`)])),
    });
    for (const reason of Object.values(reasons)) expect(reason).not.toContain('\n');

    const index = await readPreparedIndex(out);
    expect(index).toEqual(result.index);
    expect(index.cases.map(({ id }) => id)).toEqual(['ct/good', 'ct/also-good']);
    expect(index.skipped).toEqual(result.skipped);
    expect(index.datasets.ct!.counts).toMatchObject({ skipped: bad.length });
    expect(seen.map(({ done, total }) => [done, total])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i + 1, 10]),
    );
    expect(seen.filter(({ state }) => state === 'skipped').map(({ reason }) => reason)).toEqual(
      Object.values(reasons),
    );
    expect(readdirSync(join(out, 'ct')).sort()).toEqual(
      ['also-good', 'good'].flatMap((name) => [
        `${name}.case.json`,
        `${name}.image.hmv`,
        `${name}.label.hmv`,
      ]),
    );
  });

  it('says why there is nothing to train on when every case was skipped', async () => {
    const { out, run } = await preparation('none', [], () => indexOf(['gone']));
    expect(await run()).toMatchObject({ prepared: 0, exitCode: 3 });
    const index = await readPreparedIndex(out);
    expect(() => selectCases(index, { split: 'training' }, out)).toThrow(
      /no prepared case in the split "training"; 1 cases were skipped, the first/,
    );
  });
});

describe('the index of a prepared folder', () => {
  it('has sizes, spacings, counts and statistics of its cases', async () => {
    const folder = join(root, 'index');
    await writeCase(folder, 'a', [10, 8, 6], { spacing: [1, 1, 2] });
    await writeCase(folder, 'b', [12, 8, 7], { spacing: [1, 2, 3] });
    await writeCase(folder, 'c', [20, 9, 6], { spacing: [2, 2, 2] });
    const cases = ['a', 'b', 'c'].map((id, i) =>
      labelledCase(id, { split: (['training', 'validation', 'test'] as const)[i] }),
    );
    const datasetsFile = writeJson(join(folder, 'datasets.json'), {
      ...datasetIndex(cases),
      seed: 5,
      validationShare: 0.25,
    });
    const { index, indexFile, exitCode } = await prepareDatasets({
      datasetsFile,
      out: join(folder, 'prepared'),
      workers: 1,
    });
    expect(exitCode).toBe(0);
    expect(indexFile).toBe(join(folder, 'prepared', 'index.json'));
    expect(index).toMatchObject({ schema: 1, seed: 5, validationShare: 0.25, skipped: [] });
    expect(index.datasets.ct).toMatchObject({
      modality: 'ct',
      classes: { 1: 'liver', 2: 'tumour' },
      channels: 1,
      counts: { training: 1, validation: 1, test: 1, skipped: 0 },
      sourceSpacing: { min: [1, 1, 2], median: [1, 2, 2], max: [2, 2, 3] },
      preparedSize: { min: [10, 8, 6], median: [12, 8, 6], max: [20, 9, 7] },
    });
    const [a] = index.cases;
    expect(a).toMatchObject({
      split: 'training',
      image: 'ct/a.image.hmv',
      label: 'ct/a.label.hmv',
      sourceImages: [join(folder, 'a.nii.gz')],
    });
    const intensities = index.cases.map(({ intensity }) => intensity[0]!.mean);
    expect(index.datasets.ct!.intensity[0]!.mean).toBeCloseTo(
      intensities.reduce((sum, mean) => sum + mean, 0) / 3,
      10,
    );
  });

  it('is refused in a sentence when it is missing or of another version', async () => {
    await expect(readPreparedIndex(join(root, 'nowhere'))).rejects.toThrow(
      /index.json does not exist: make it with "hybridmim prepare/,
    );
    writeJson(join(root, 'other', 'index.json'), { schema: 2 });
    await expect(readPreparedIndex(join(root, 'other'))).rejects.toThrow(
      /is no index of this version \(schema: .*\): delete it and run prepare again/,
    );
    await expect(readPreparedIndex(join(root, 'other'))).rejects.toBeInstanceOf(DataError);
  });
});

describe('preparing again', () => {
  it('redoes nothing when nothing changed', async () => {
    const { run, out, redone } = await preparation('again', ['a', 'b', 'c']);
    const first = await run();
    const hashes = preparedHashes(out);
    const second = await run();
    expect(second).toMatchObject({ prepared: 0, unchanged: 3, skipped: [], exitCode: 0 });
    expect(redone()).toEqual([]);
    expect(second.index).toEqual(first.index);
    expect(preparedHashes(out)).toEqual(hashes);
  });

  it('redoes the one case whose source changed, and none whose source was only touched', async () => {
    const { folder, out, run, redone } = await preparation('changed', ['a', 'b', 'c']);
    await run();
    const before = preparedHashes(out);
    utimesSync(join(folder, 'a.nii.gz'), new Date(), new Date(Date.now() + 5000));
    await writeNifti(
      join(folder, 'b.nii.gz'),
      volumeOf([15, 12, 10], (x, y, z) => tellingHu(x, y, z) + 1),
    );
    expect(await run()).toMatchObject({ prepared: 1, unchanged: 2 });
    expect(redone()).toEqual(['ct/b']);
    const after = preparedHashes(out);
    expect(Object.keys(after).filter((file) => after[file] !== before[file])).toEqual(['ct/b.image.hmv']);
    await writeNifti(join(folder, 'c_label.nii.gz'), asLabel(volumeOf([16, 12, 10], () => 1)));
    await run();
    expect(redone()).toEqual(['ct/c']);
  });

  it('redoes a case whose prepared file or record is gone or cut off', async () => {
    const { out, run, redone } = await preparation('gone', ['a', 'b', 'c']);
    await run();
    rmSync(join(out, 'ct', 'a.label.hmv'));
    truncateSync(join(out, 'ct', 'c.case.json'), 40);
    await run();
    expect(redone()).toEqual(['ct/a', 'ct/c']);
  });

  it('redoes the dataset whose settings changed, and leaves the other', async () => {
    const content = (windowHu: [number, number]) => ({
      schema: 1,
      datasets: {
        one: datasetOf(['a', 'b'], { windowHu }),
        two: datasetOf(['c']),
      },
    });
    const { datasetsFile, run, redone } = await preparation('settings', ['a', 'b', 'c'], () =>
      content([-1000, 1000]),
    );
    await run();
    expect(redone()).toEqual(['one/a', 'one/b', 'two/c']);
    writeJson(datasetsFile, content([-175, 250]));
    const { index } = await run();
    expect(redone()).toEqual(['one/a', 'one/b']);
    expect(index.datasets.one!.preprocessing.windowHu).toEqual([-175, 250]);
  });

  it('takes a new split and new class names without redoing a case', async () => {
    const { datasetsFile, out, run, redone } = await preparation('names', ['a', 'b']);
    await run();
    writeJson(
      datasetsFile,
      indexOf(['a', 'b'], { classes: { 1: 'Leber', 2: 'Tumor' }, splits: { test: ['a'] } }),
    );
    await run();
    expect(redone()).toEqual([]);
    const { cases, datasets } = await readPreparedIndex(out);
    expect(cases.find(({ name }) => name === 'a')!.split).toBe('test');
    expect(datasets.ct!.classes).toEqual({ 1: 'Leber', 2: 'Tumor' });
  });

  it('keeps the other datasets with "only", and drops one that the index no longer has', async () => {
    const content = (names: readonly string[]) => ({
      schema: 1,
      datasets: Object.fromEntries(names.map((name) => [name, datasetOf([name])])),
    });
    const { datasetsFile, folder, run, redone } = await preparation('only', ['a', 'b', 'c'], content);
    await run();
    await writeNifti(
      join(folder, 'a.nii.gz'),
      volumeOf([14, 12, 10], () => 7),
    );
    await writeNifti(
      join(folder, 'b.nii.gz'),
      volumeOf([15, 12, 10], () => 7),
    );
    const { index } = await run({ only: ['b'] });
    expect(redone()).toEqual(['b/b']);
    expect(Object.keys(index.datasets).sort()).toEqual(['a', 'b', 'c']);
    expect(index.cases.map(({ id }) => id).sort()).toEqual(['a/a', 'b/b', 'c/c']);
    writeJson(datasetsFile, content(['a', 'b']));
    expect((await run({ only: ['b'] })).index.cases.map(({ id }) => id).sort()).toEqual(['a/a', 'b/b']);
  });

  it('makes a damaged index anew, unless datasets that are not asked for would be lost with it', async () => {
    const content = { schema: 1, datasets: { one: datasetOf(['a']), two: datasetOf(['b']) } };
    const { out, run, redone } = await preparation('damaged', ['a', 'b'], () => content);
    await run();
    writeFileSync(join(out, 'index.json'), '{"schema": 1, "cas');
    await expect(run({ only: ['one'] })).rejects.toThrow(
      /index.json is no index of this version .*: delete it and run prepare again/,
    );
    const { index } = await run();
    expect(redone()).toEqual([]);
    expect(index.cases.map(({ id }) => id)).toEqual(['one/a', 'two/b']);
  });
});

describe('preparing a task of the Medical Segmentation Decathlon', () => {
  it('takes its own dataset.json, labelled training cases and, when asked, the test images', async () => {
    const task = join(root, 'msd', 'Task09_Spleen');
    mkdirSync(join(task, 'labelsTr'), { recursive: true });
    for (const name of ['spleen_2', 'spleen_3', 'spleen_4']) {
      await writeCase(join(task, 'imagesTr'), name, [10, 9, 8], { label: false });
      await writeNifti(
        join(task, 'labelsTr', `${name}.nii.gz`),
        asLabel(volumeOf([10, 9, 8], (x) => (x > 5 ? 1 : 0))),
      );
    }
    await writeCase(join(task, 'imagesTs'), 'spleen_1', [10, 9, 8], { label: false });
    writeJson(join(task, 'dataset.json'), {
      name: 'Spleen',
      modality: { 0: 'CT' },
      labels: { 0: 'background', 1: 'spleen' },
      training: ['spleen_2', 'spleen_3', 'spleen_4'].map((name) => ({
        image: `./imagesTr/${name}.nii.gz`,
        label: `./labelsTr/${name}.nii.gz`,
      })),
      test: ['./imagesTs/spleen_1.nii.gz'],
    });
    const prepare = (name: string, extra: object) => {
      const splits = { training: ['spleen_2', 'spleen_4'], validation: ['spleen_3'] };
      // The task's own window would take these dark scans for air.
      const entry = { layout: 'msd', path: task, spacing: null, windowHu: [-1000, 1000], splits, ...extra };
      const datasetsFile = writeJson(join(root, 'msd', `${name}.json`), {
        schema: 1,
        datasets: { spleen: entry },
      });
      return prepareDatasets({ datasetsFile, out: join(root, 'msd', name), workers: 1 });
    };
    const { index, exitCode } = await prepare('with-test', { includeTest: true });
    expect(exitCode).toBe(0);
    expect(Object.fromEntries(index.cases.map(({ id, split }) => [id, split]))).toEqual({
      'spleen/spleen_2': 'training',
      'spleen/spleen_3': 'validation',
      'spleen/spleen_4': 'training',
      'spleen/spleen_1': 'test',
    });
    expect(index.datasets.spleen).toMatchObject({ modality: 'ct', classes: { 1: 'spleen' } });
    const test = index.cases.find(({ split }) => split === 'test')!;
    expect([test.label, test.classVoxels]).toEqual([undefined, {}]);
    const { label } = await readPreparedVolume(join(root, 'msd', 'with-test'), index.cases[0]!);
    expect([...label!.data].filter((value) => value === 1)).toHaveLength(4 * 9 * 8);
    expect((await prepare('without-test', {})).index.cases.map(({ name }) => name)).toEqual([
      'spleen_2',
      'spleen_3',
      'spleen_4',
    ]);
  });
});

/** One dataset of an index, its cases on their own grid. */
function datasetOf(cases: readonly string[], extra: object = {}): object {
  return (indexOf(cases, extra) as { datasets: { ct: object } }).datasets.ct;
}

/** The file with other sizes in its header, as a damaged one has them. */
function withDimensions(file: string, dims: readonly number[]): Buffer {
  const bytes = gunzipSync(readFileSync(file));
  for (const [axis, n] of dims.entries()) bytes.writeInt16LE(n, 42 + 2 * axis);
  return gzipSync(bytes);
}
