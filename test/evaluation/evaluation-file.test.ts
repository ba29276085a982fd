import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.js';
import { isEvaluation, readEvaluation, summarise, wrongFieldOf } from '../../src/evaluation/index.js';

const evaluation = summarise(
  'spleen',
  ['spleen'],
  [{ id: 'a', classes: { spleen: { dice: 0.9, hd95: 2, status: 'ok' } } }],
);

function written(content: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'evaluation-')), 'evaluation.json');
  writeFileSync(file, content);
  return file;
}

describe('evaluation.json', () => {
  it('is read as it was written', async () => {
    expect(await readEvaluation(written(JSON.stringify(evaluation)))).toEqual(evaluation);
  });

  it.each([
    ['no JSON', '{', 'JSON'],
    ['another version', JSON.stringify({ ...evaluation, schema: 2 }), 'schema'],
    ['a class without its summary', JSON.stringify({ ...evaluation, perClass: {} }), 'perClass'],
    [
      'files that are numbers',
      JSON.stringify({
        ...evaluation,
        cases: [{ ...evaluation.cases[0], files: { prediction: 1, reference: 'a' } }],
      }),
      'cases.0.files.prediction',
    ],
    [
      'counts of voxels that are none',
      JSON.stringify(evaluation).replace('"status"', '"voxels":{"predicted":1},"status"'),
      'cases.0.classes.spleen.voxels.present',
    ],
    [
      'a further metric that is a text',
      JSON.stringify(evaluation).replace('"status"', '"asd":"1","status"'),
      'cases.0.classes.spleen.asd',
    ],
    [
      'a case without one of its classes',
      JSON.stringify({ ...evaluation, cases: [{ id: 'a', classes: {} }] }),
      'cases',
    ],
    [
      'values of another class',
      JSON.stringify({ ...evaluation, classValues: { liver: [1] } }),
      'classValues',
    ],
    [
      'a class without a value',
      JSON.stringify({ ...evaluation, classValues: { spleen: [] } }),
      'classValues.spleen',
    ],
    [
      'files of folders that are one name',
      JSON.stringify({ ...evaluation, files: { missing: 'a' } }),
      'files.missing',
    ],
    ['software without versions', JSON.stringify({ ...evaluation, software: {} }), 'software.hybridmim'],
    [
      'settings without tolerances',
      JSON.stringify({ ...evaluation, settings: {} }),
      'settings.nsdToleranceMm',
    ],
    [
      'a Dice that is a text',
      JSON.stringify(evaluation).replace('"dice":0.9', '"dice":"0.9"'),
      'cases.0.classes.spleen.dice',
    ],
  ])('is refused with %s, naming file and field', async (_, content, field) => {
    const file = written(content);
    const thrown = await readEvaluation(file).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(DataError);
    expect((thrown as DataError).message).toBe(
      `${file} is no evaluation: ${field} is wrong; delete it to have it made again`,
    );
  });

  it('names the wrong field of JSON that is none, and nothing of one that is', () => {
    expect([isEvaluation(evaluation), wrongFieldOf(evaluation)]).toEqual([true, undefined]);
    expect([isEvaluation({}), wrongFieldOf({})]).toEqual([false, 'schema']);
  });
});
