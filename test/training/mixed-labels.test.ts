import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets, readPreparedIndex } from '../../src/dataset/index.js';
import { evaluateRun } from '../../src/prediction/index.js';
import { finetune, pretrain } from '../../src/training/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { smokeFinetuneConfig } from './segmentation-data.js';
import { smokePretrainConfig } from './smoke-data.js';

const folder = temporaryFolder();
const prepared = join(folder, 'prepared');
const length = ['train.steps=1', 'train.warmupSteps=0'];

/** Cases that a run was made from, as its state says. */
async function casesOf(out: string): Promise<string[]> {
  const { readRunState } = await import('../../src/training/checkpoint.js');
  return (await readRunState(join(folder, out)))?.cases.map((id) => id.replace('ct/', '')) ?? [];
}

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  for (const name of ['a', 'b', 'c']) await writeCase(folder, name, [36, 34, 33]);
  for (const name of ['u', 'v']) await writeCase(folder, name, [36, 34, 33], { label: false });
  const cases = [
    labelledCase('a'),
    labelledCase('b'),
    labelledCase('c', { split: 'validation' }),
    { id: 'u', image: 'u.nii.gz' },
    { id: 'v', image: 'v.nii.gz' },
  ];
  const datasetsFile = writeJson(join(folder, 'datasets.json'), datasetIndex(cases));
  await prepareDatasets({ datasetsFile, out: prepared, workers: 1 });
});

describe('scans with and without labels in one dataset', () => {
  it('pre-train together, but for those that are held out', async () => {
    const run = async (out: string, split: string) => {
      const settings = await smokePretrainConfig(prepared, ...length, `data.split=${split}`);
      await pretrain({ settings, out: join(folder, out) });
      return casesOf(out);
    };
    expect(await run('training', 'training')).toEqual(['a', 'b', 'u', 'v']);
    expect(await run('unlabelled', 'unlabelled')).toEqual(['u', 'v']);
    expect(await run('all', 'all')).toEqual(['a', 'b', 'c', 'u', 'v']);
  });

  it('fine-tune and are evaluated where there is a label', async () => {
    const out = join(folder, 'finetuned');
    await finetune({ settings: await smokeFinetuneConfig(prepared, ...length), out });
    expect(await casesOf('finetuned')).toEqual(['a', 'b']);
    const evaluated = async (split: 'training' | 'validation') =>
      (await evaluateRun({ run: out, split, task: 'ct' })).cases.map(({ id }) => id);
    expect(await evaluated('training')).toEqual(['ct/a', 'ct/b']);
    expect(await evaluated('validation')).toEqual(['ct/c']);
  });

  it('refuse what needs the other kind', async () => {
    const none = join(folder, 'none');
    const cases = [
      { id: 'u', image: 'u.nii.gz' },
      { id: 'v', image: 'v.nii.gz' },
    ];
    const datasetsFile = writeJson(join(folder, 'unlabelled.json'), datasetIndex(cases));
    await prepareDatasets({ datasetsFile, out: none, workers: 1 });
    const finetuning = finetune({
      settings: await smokeFinetuneConfig(none),
      out: join(folder, 'no-labels'),
    });
    await expect(finetuning).rejects.toThrow(`${none} has no training case with a label`);
    const labelled = join(folder, 'labelled');
    const all = writeJson(
      join(folder, 'labelled.json'),
      datasetIndex(['a', 'b', 'c'].map((n) => labelledCase(n))),
    );
    await prepareDatasets({ datasetsFile: all, out: labelled, workers: 1 });
    const settings = await smokePretrainConfig(labelled, 'data.split=unlabelled');
    await expect(pretrain({ settings, out: join(folder, 'no-scans') })).rejects.toThrow(
      `${labelled} has no training case without a label: set data.split to training`,
    );
    expect(
      (await readPreparedIndex(labelled)).cases.filter(({ split }) => split === 'validation'),
    ).toHaveLength(1);
  });
});
