import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareDatasets } from '../../src/dataset/index.js';
import { pretrain } from '../../src/training/index.js';
import { writeNifti } from '../../src/volume/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  volumeOf,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { smokePretrainConfig } from './smoke-data.js';

const folder = temporaryFolder();
const prepared = join(folder, 'prepared');

beforeAll(async () => {
  for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
    await writeCase(folder, name, [34, 34, 34]);
    await writeNifti(
      join(folder, `${name}.nii.gz`),
      volumeOf([34, 34, 34], (x, y, z) => ((x + 7 * y + 31 * z + 100 * i) % 1900) - 950),
    );
  }
  const splits = { a: 'training', b: 'training', c: 'validation', d: 'test' };
  const { datasets } = datasetIndex(
    Object.entries(splits).map(([name, split]) => labelledCase(name, { split })),
  ) as { datasets: { ct: object } };
  const collected = (...names: string[]) => ({
    ...datasets.ct,
    cases: names.map((name) => ({ id: `scan-${name}`, image: `${name}.nii.gz`, split: 'training' })),
  });
  const all = {
    task: datasets.ct,
    clean: collected('a'),
    validated: collected('a', 'c'),
    tested: collected('d'),
  };
  await prepareDatasets({
    datasetsFile: writeJson(join(folder, 'datasets.json'), { schema: 1, datasets: all }),
    out: prepared,
    workers: 1,
  });
});

const attempt = async (name: string, mode: string, ...overrides: string[]) => {
  const settings = await smokePretrainConfig(
    prepared,
    'train.steps=1',
    'train.warmupSteps=0',
    'train.validateEvery=0',
    `data.mode=${mode}`,
    ...overrides,
  );
  return pretrain({ settings, out: join(folder, name), resume: false, progress: {} });
};

describe('task-specific pre-training', () => {
  it('runs on the training split of its task', async () => {
    expect((await attempt('own', 'task-specific', 'data.datasets=[task]')).steps).toBe(1);
  });

  it('refuses the validation and test cases of the task, before anything is written', async () => {
    const refused = attempt('all', 'task-specific', 'data.datasets=[task]', 'data.split=all');
    await expect(refused).rejects.toMatchObject({
      exitCode: 3,
      message: /case task\/c is in the validation split, but task-specific pre-training/,
    });
    expect(existsSync(join(folder, 'all'))).toBe(false);
  });

  it.each([
    ['validated', /case validated\/scan-c is the same scan as task\/c, which is in the validation split/],
    ['tested', /case tested\/scan-d is the same scan as task\/d, which is in the test split/],
  ])(
    'refuses a held-out scan that stands in the training split of another dataset (%s)',
    async (dataset, message) => {
      await expect(attempt(dataset, 'task-specific', `data.datasets=[${dataset}]`)).rejects.toMatchObject({
        exitCode: 3,
        message,
      });
    },
  );

  it('takes a scan of another dataset that is nobody’s held-out case', async () => {
    expect((await attempt('clean', 'task-specific', 'data.datasets=[clean]')).steps).toBe(1);
  });

  it('is asked for: generic pre-training takes what it is given', async () => {
    expect((await attempt('generic', 'generic', 'data.datasets=[tested]')).steps).toBe(1);
  });
});
