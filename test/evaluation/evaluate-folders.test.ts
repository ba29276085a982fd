import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
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
async function folders(name: string, predictions: Files, labels: Files, size?: Triple): Promise<FolderEvaluation> {
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
    const evaluation = await folders('pairs', { 'b.nii.gz': [1, 0, 2], 'a.nii': [1, 1, 0] }, { 'a.nii.gz': [1, 1, 0], 'b.nii': [1, 1, 2] });
    const results = await evaluateFolders({ ...evaluation, onCase: (id, done, total) => progress.push(`${id} ${done}/${total}`) });
    expect(results.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(results[0]!.classes).toEqual({ liver: { dice: 1, hd95: 0, status: 'ok' }, tumour: { dice: null, hd95: null, status: 'absent' } });
    expect(results[1]!.classes.liver).toMatchObject({ dice: 2 / 3, status: 'ok' });
    expect(progress).toEqual(['a 1/2', 'b 2/2']);
  });

  it('passes over logits that predict wrote, hidden files and files of other kinds', async () => {
    const evaluation = await folders('others', { 'a.nii.gz': [1, 2], 'a_logits.nii.gz': [7, 7] }, { 'a.nii.gz': [1, 2] });
    writeFileSync(join(evaluation.labels, '._a.nii.gz'), 'of another operating system');
    writeFileSync(join(evaluation.labels, 'readme.txt'), '');
    expect((await evaluateFolders(evaluation)).map(({ id }) => id)).toEqual(['a']);
  });

  it('maps values that stand for others, on both sides', async () => {
    const regions = [
      { name: 'WT', values: [1, 2, 4] },
      { name: 'ET', values: [4] },
    ];
    const evaluation = await folders('map', { 'a.nii.gz': [1, 3, 0] }, { 'a.nii.gz': [2, 4, 0] });
    const [result] = await evaluateFolders({ ...evaluation, classes: regions, labelMap: { 3: 4 } });
    expect(result!.classes).toEqual({ WT: { dice: 1, hd95: 0, status: 'ok' }, ET: { dice: 1, hd95: 0, status: 'ok' } });
  });

  it('stops between cases when it is interrupted', async () => {
    const stop = new AbortController();
    const evaluation = await folders('stop', { 'a.nii.gz': [1], 'b.nii.gz': [1] }, { 'a.nii.gz': [1], 'b.nii.gz': [1] });
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
    expect((await dataError(evaluation)).message).toBe(`the folder of predictions, ${evaluation.predictions}, holds no .nii or .nii.gz file`);
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
    const evaluation = await folders('no-prediction', { 'b.nii.gz': [1] }, { 'a.nii.gz': [1], 'b.nii.gz': [1], 'c.nii.gz': [1] });
    const { message, facts } = await dataError(evaluation);
    expect(message).toContain(`label ${join(evaluation.labels, 'a.nii.gz')} has no prediction, nor have 1 others of the 3 in its folder`);
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
    expect((await dataError(evaluation)).message).toMatch(/a\.nii\.gz and .*a\.nii are both named a, but files pair by name/);
  });

  it('are refused when a label or a prediction holds a value that is no class', async () => {
    const label = await folders('label-value', { 'a.nii.gz': [1, 0] }, { 'a.nii.gz': [1, 9] });
    const { message, facts } = await dataError(label);
    expect(message).toContain(`${join(label.labels, 'a.nii.gz')} holds the value 9, but the task's classes are 0 background, 1 liver, 2 tumour`);
    expect(facts).toMatchObject({ file: join(label.labels, 'a.nii.gz'), found: 9, expected: [0, 1, 2] });
    const prediction = await folders('prediction-value', { 'a.nii.gz': [5, 0] }, { 'a.nii.gz': [1, 0] });
    expect((await dataError(prediction)).message).toContain(`${join(prediction.predictions, 'a.nii.gz')} holds the value 5`);
  });

  it('are refused when the volumes of a pair do not share one grid', async () => {
    const evaluation = await folders('grids', { 'a.nii.gz': [1, 0, 0] }, { 'a.nii.gz': [1, 0] });
    const { message, facts } = await dataError(evaluation);
    expect(message).toBe(
      `prediction ${join(evaluation.predictions, 'a.nii.gz')} has 3x1x1 voxels, but its label ${join(evaluation.labels, 'a.nii.gz')} has 2x1x1: they must share one grid`,
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
