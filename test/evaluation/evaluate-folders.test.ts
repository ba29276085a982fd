import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError, UsageError } from '../../src/errors.js';
import { evaluateFolders, type FolderEvaluation } from '../../src/evaluation/index.js';
import { type Triple, writeNifti } from '../../src/volume/index.js';
import { labelVolume } from './references.js';

const folder = mkdtempSync(join(tmpdir(), 'evaluate-folders-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const classes = [
  { name: 'liver', values: [1] },
  { name: 'tumour', values: [2] },
];
type Files = Readonly<Record<string, readonly number[]>>;

/** Folders of predictions and labels, each file a row of voxels. */
async function folders(
  name: string,
  predictions: Files,
  labels: Files,
  size?: Triple,
): Promise<FolderEvaluation> {
  const paths = { predictions: join(folder, name, 'predictions'), labels: join(folder, name, 'labels') };
  for (const [path, files] of [
    [paths.predictions, predictions],
    [paths.labels, labels],
  ] as const) {
    mkdirSync(path, { recursive: true });
    for (const [file, values] of Object.entries(files)) {
      await writeNifti(join(path, file), labelVolume(size ?? [values.length, 1, 1], Uint8Array.from(values)));
    }
  }
  return { ...paths, classes };
}

/** The error of an evaluation, which has to be of exit code 3 and one sentence on one line. */
async function dataError(evaluation: FolderEvaluation): Promise<DataError> {
  const error = await evaluateFolders(evaluation).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DataError);
  expect((error as DataError).exitCode).toBe(3);
  expect((error as DataError).message).not.toContain('\n');
  return error as DataError;
}

describe('evaluating two folders', () => {
  it('pairs files by name, compressed or not, in order of name', async () => {
    const progress: string[] = [];
    const evaluation = await folders(
      'pairs',
      { 'b.nii.gz': [1, 0, 2], 'a.nii': [1, 1, 0] },
      { 'a.nii.gz': [1, 1, 0], 'b.nii': [1, 1, 2] },
    );
    const { cases: results } = await evaluateFolders({
      ...evaluation,
      onCase: (id, done, total) => progress.push(`${id} ${done}/${total}`),
    });
    expect(results.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(results[0]!.classes).toEqual({
      liver: {
        ...{
          dice: 1,
          hd95: 0,
          status: 'ok',
          asd: 0,
          nsd1mm: 1,
          nsd2mm: 1,
          volumeDifferenceMl: 0,
          relativeVolumeDifference: 0,
        },
        ...{ sensitivity: 1, precision: 1, voxels: { predicted: 2, present: 2, both: 2, all: 3 } },
      },
      tumour: {
        ...{
          dice: null,
          hd95: null,
          status: 'absent',
          asd: null,
          nsd1mm: null,
          nsd2mm: null,
          volumeDifferenceMl: 0,
          relativeVolumeDifference: null,
        },
        ...{ sensitivity: null, precision: null, voxels: { predicted: 0, present: 0, both: 0, all: 3 } },
      },
    });
    expect(results[1]!.classes.liver).toMatchObject({ dice: 2 / 3, status: 'ok' });
    expect(progress).toEqual(['a 1/2', 'b 2/2']);
  });

  it('passes over logits that predict wrote, hidden files and files of other kinds', async () => {
    const evaluation = await folders(
      'others',
      { 'a.nii.gz': [1, 2], 'a_logits.nii.gz': [7, 7] },
      { 'a.nii.gz': [1, 2] },
    );
    writeFileSync(join(evaluation.labels, '._a.nii.gz'), 'of another operating system');
    writeFileSync(join(evaluation.labels, 'readme.txt'), '');
    expect((await evaluateFolders(evaluation)).cases.map(({ id }) => id)).toEqual(['a']);
  });

  it('maps values that stand for others, on both sides', async () => {
    const regions = [
      { name: 'WT', values: [1, 2, 4] },
      { name: 'ET', values: [4] },
    ];
    const evaluation = await folders('map', { 'a.nii.gz': [1, 3, 0] }, { 'a.nii.gz': [2, 4, 0] });
    const { cases } = await evaluateFolders({ ...evaluation, classes: regions, labelMap: { 3: 4 } });
    expect(cases[0]!.classes).toMatchObject({
      WT: { dice: 1, hd95: 0, status: 'ok' },
      ET: { dice: 1, hd95: 0, status: 'ok' },
    });
    expect(Object.keys(cases[0]!.classes)).toEqual(['WT', 'ET']);
  });

  it('takes no more memory for a class of a large value', async () => {
    const paths = await folders('large', {}, {});
    const label = {
      ...labelVolume([4, 1, 1], new Uint8Array(4)),
      data: Uint32Array.of(0, 1_000_000_000, 4_294_967_295, 0),
    };
    for (const path of [paths.predictions, paths.labels]) await writeNifti(join(path, 'a.nii.gz'), label);
    const { cases } = await evaluateFolders({
      ...paths,
      classes: [
        { name: 'a', values: [1_000_000_000] },
        { name: 'b', values: [4_294_967_295] },
      ],
    });
    expect([cases[0]?.classes.a?.dice, cases[0]?.classes.b?.dice]).toEqual([1, 1]);
  });

  it('stops between cases when it is interrupted', async () => {
    const stop = new AbortController();
    const evaluation = await folders(
      'stop',
      { 'a.nii.gz': [1], 'b.nii.gz': [1] },
      { 'a.nii.gz': [1], 'b.nii.gz': [1] },
    );
    const done: string[] = [];
    const run = evaluateFolders({
      ...evaluation,
      signal: stop.signal,
      onCase: (id) => {
        done.push(id);
        stop.abort();
      },
    });
    await expect(run).rejects.toHaveProperty('name', 'AbortError');
    expect(done).toEqual(['a']);
  });
});

describe('two folders that cannot be evaluated', () => {
  it('are refused when one is missing', async () => {
    const evaluation = await folders('missing', { 'a.nii.gz': [1] }, { 'a.nii.gz': [1] });
    const nowhere = join(folder, 'nowhere');
    expect((await dataError({ ...evaluation, labels: nowhere })).message).toBe(
      `the folder of labels, ${nowhere}, cannot be read (ENOENT): check the path`,
    );
    const error = await dataError({ ...evaluation, predictions: nowhere });
    expect(error.message).toContain('the folder of predictions');
    expect(error.facts.file).toBe(nowhere);
  });

  it('are refused when one holds no volume', async () => {
    const evaluation = await folders('empty', {}, { 'a.nii.gz': [1] });
    expect((await dataError(evaluation)).message).toBe(
      `the folder of predictions, ${evaluation.predictions}, holds no volume: .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr files, or segmentations or contours in .dcm files, are expected in it or below`,
    );
  });

  it('are refused when a prediction has no label, which is named', async () => {
    const evaluation = await folders('no-label', { 'a.nii.gz': [1], 'b.nii.gz': [1] }, { 'a.nii.gz': [1] });
    const { message, facts } = await dataError(evaluation);
    expect(message).toContain(
      `prediction ${join(evaluation.predictions, 'b.nii.gz')} has no label: ${join(evaluation.labels, 'b.nii.gz')} is expected`,
    );
    expect(facts.file).toBe(join(evaluation.predictions, 'b.nii.gz'));
  });

  it('are refused when a label has no prediction, instead of leaving the case out of the means', async () => {
    const evaluation = await folders(
      'no-prediction',
      { 'b.nii.gz': [1] },
      { 'a.nii.gz': [1], 'b.nii.gz': [1], 'c.nii.gz': [1] },
    );
    const { message, facts } = await dataError(evaluation);
    expect(message).toContain(
      `label ${join(evaluation.labels, 'a.nii.gz')} has no prediction, nor has 1 other of the 3 in its folder`,
    );
    expect(message).toContain(`${join(evaluation.predictions, 'a.nii.gz')} is expected`);
    expect(facts).toMatchObject({ file: join(evaluation.labels, 'a.nii.gz'), found: ['a', 'c'] });
  });

  it('are refused before any case is evaluated', async () => {
    const evaluation = await folders('first', { 'a.nii.gz': [1] }, { 'a.nii.gz': [1], 'z.nii.gz': [1] });
    const done: string[] = [];
    await dataError({ ...evaluation, onCase: (id) => done.push(id) });
    expect(done).toEqual([]);
  });

  it('are refused when two files of one folder have one name', async () => {
    const evaluation = await folders('twice', { 'a.nii.gz': [1], 'a.nii': [0] }, { 'a.nii.gz': [1] });
    expect((await dataError(evaluation)).message).toMatch(
      /a\.nii\.gz and .*a\.nii are both named a, but files pair by name/,
    );
  });

  it('are refused when a label or a prediction holds a value that is no class', async () => {
    const label = await folders('label-value', { 'a.nii.gz': [1, 0] }, { 'a.nii.gz': [1, 9] });
    const { message, facts } = await dataError(label);
    expect(message).toContain(
      `${join(label.labels, 'a.nii.gz')} holds the value 9, but the task's classes are 0 background, 1 liver, 2 tumour`,
    );
    expect(facts).toMatchObject({ file: join(label.labels, 'a.nii.gz'), found: 9, expected: [0, 1, 2] });
    const prediction = await folders('prediction-value', { 'a.nii.gz': [5, 0] }, { 'a.nii.gz': [1, 0] });
    expect((await dataError(prediction)).message).toContain(
      `${join(prediction.predictions, 'a.nii.gz')} holds the value 5`,
    );
  });

  it('are refused when the volumes of a pair do not share one grid', async () => {
    const evaluation = await folders('grids', { 'a.nii.gz': [1, 0, 0] }, { 'a.nii.gz': [1, 0] });
    const { message, facts } = await dataError(evaluation);
    expect(message).toBe(
      `prediction ${join(evaluation.predictions, 'a.nii.gz')} has 3x1x1 voxels, but its label ${join(evaluation.labels, 'a.nii.gz')} has 2x1x1: they must share one grid, ` +
        "unless --resample brings the prediction onto its label's (prediction: 3x1x1 voxels of 1 x 1 x 1 mm, axes to RAS, first voxel at [0, 0, 0] mm; " +
        'label: 2x1x1 voxels of 1 x 1 x 1 mm, axes to RAS, first voxel at [0, 0, 0] mm)',
    );
    expect(facts).toMatchObject({ field: 'size', found: [3, 1, 1], expected: [2, 1, 1] });
  });

  it('are refused when a file is damaged', async () => {
    const evaluation = await folders('damaged', { 'a.nii.gz': [1] }, { 'a.nii.gz': [1] });
    writeFileSync(join(evaluation.labels, 'a.nii.gz'), Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]));
    expect((await dataError(evaluation)).facts.file).toBe(join(evaluation.labels, 'a.nii.gz'));
  });

  it('are refused when two classes have one name, which is wrong use', async () => {
    const evaluation = await folders('names', { 'a.nii.gz': [1] }, { 'a.nii.gz': [1] });
    const kidneys = [
      { name: 'kidney', values: [1] },
      { name: 'kidney', values: [2] },
    ];
    const refused = evaluateFolders({ ...evaluation, classes: kidneys });
    await expect(refused).rejects.toThrow('two classes are named "kidney"');
    await expect(refused).rejects.toBeInstanceOf(UsageError);
  });
});

describe('two folders that are evaluated although incomplete', () => {
  it('name and count what was missing, extra, misaligned, unusable or empty, and evaluate the rest', async () => {
    const predictions = {
      'a.nii': [1, 0],
      'empty.nii': [0, 0],
      'extra.nii': [1],
      'grid.nii': [1, 0, 0],
      'value.nii': [5, 0],
      'label-empty.nii': [0, 2],
    };
    const labels = {
      'a.nii': [1, 0],
      'empty.nii': [1, 2],
      'grid.nii': [1, 0],
      'missing.nii': [1],
      'value.nii': [1, 0],
      'label-empty.nii': [0, 0],
    };
    const evaluation = await folders('incomplete', predictions, labels);
    const { cases, files } = await evaluateFolders({ ...evaluation, incomplete: true, workers: 2 });
    expect(cases.map(({ id }) => id)).toEqual(['a', 'empty', 'label-empty']);
    expect(files).toEqual({
      pairedBy: 'the same name',
      missing: ['missing'],
      extra: ['extra'],
      misaligned: [{ id: 'grid', reason: expect.stringContaining('has 3x1x1 voxels, but its label') }],
      unusable: [{ id: 'value', reason: expect.stringContaining('holds the value 5') }],
      emptyPredictions: ['empty'],
      emptyLabels: ['label-empty'],
      reoriented: [],
      resampled: [],
    });
  });

  it('are refused when nothing is left', async () => {
    const evaluation = await folders('nothing-left', { 'a.nii': [1] }, { 'b.nii': [1] });
    expect((await dataError({ ...evaluation, incomplete: true })).message).toMatch(
      /nothing can be evaluated: .* \(1 labels have no prediction, 1 predictions no label\)/,
    );
  });
});

describe('files of other tools', () => {
  const other = (place: string): FolderEvaluation => ({
    predictions: `test/parity/evaluation/other-tools/${place}`,
    labels: `test/parity/evaluation/other-tools/labels/${place}`,
    classes,
  });
  const expected = JSON.parse(readFileSync('test/parity/evaluation/other-tools/expected.json', 'utf8')) as {
    readonly dice: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly resampled: Readonly<Record<string, number>>;
  };
  const diceOf = ({ cases }: Awaited<ReturnType<typeof evaluateFolders>>) =>
    Object.fromEntries(
      cases.map(({ id, classes }) => [
        id,
        Object.fromEntries(Object.entries(classes).map(([name, result]) => [name, result.dice])),
      ]),
    );

  it('evaluate without conversion when their types of number and orientations are others, but their voxels the same', async () => {
    const found = await evaluateFolders(other('same-space'));
    const dice = diceOf(found);
    expect(Object.keys(dice)).toEqual(Object.keys(expected.dice));
    for (const [id, scores] of Object.entries(expected.dice)) {
      for (const [name, score] of Object.entries(scores))
        expect(dice[id]![name], `${id} ${name}`).toBeCloseTo(score, 6);
    }
    expect(found.files.reoriented).toEqual(['flipped-int64', 'monai-float32', 'permuted-float64']);
    expect(found.files.resampled).toEqual([]);
  });

  it('are refused with both geometries when their grid is another, unless resampled', async () => {
    const { message, facts } = await dataError(other('other-grid'));
    expect(message).toContain('prediction: 7x8x9 voxels of 1.7 x 1.3 x 2 mm, axes to RAS');
    expect(message).toContain('label: 12x10x9 voxels of 1 x 1.05 x 2 mm, axes to LPS');
    expect(facts.field).toBe('size');
    const { cases, files } = await evaluateFolders({ ...other('other-grid'), resample: true });
    expect(files.resampled).toEqual(['spaced']);
    for (const [name, score] of Object.entries(expected.resampled))
      expect(cases[0]!.classes[name]!.dice, name).toBeCloseTo(score, 6);
  });
});
