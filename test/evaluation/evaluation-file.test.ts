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
