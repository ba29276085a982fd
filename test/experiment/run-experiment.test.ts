import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkConfig, type ExperimentConfig, experimentConfig } from '../../src/config/index.js';
import { experimentTable, runExperiment } from '../../src/experiment/index.js';
import { readMetrics } from '../../src/training/index.js';
import { datasetIndex, labelledCase, temporaryFolder, writeCase } from '../dataset/generated-data.js';

const folder = temporaryFolder();
let config: ExperimentConfig;

beforeAll(async () => {
  for (const name of ['a', 'b', 'c']) await writeCase(folder, name, [40, 36, 34]);
  const cases = ['a', 'b', 'c'].map((name, i) => labelledCase(name, { split: i < 2 ? 'training' : 'test' }));
  const shared = {
    data: { cropSize: [32, 32, 32] },
    network: { features: [4, 4, 4, 8, 8, 4] },
    train: { batchSize: 2, steps: 4, checkpointEvery: 2, validateEvery: 0 },
  };
  const settings = {
    name: 'tiny',
    seeds: [0, 1],
    arms: [
      { name: 'from scratch', pretrained: false },
      { name: 'pre-trained', pretrained: true },
    ],
    datasets: datasetIndex(cases, { path: folder }),
    pretrain: { ...shared, method: { subVolume: 16, patch: 8, region: 32, contrastDim: 8 } },
    finetune: shared,
    evaluate: 'test',
  };
  config = checkConfig(experimentConfig, settings, 'test');
});

describe('an experiment', () => {
  const out = join(folder, 'out');

  it('runs every arm with every seed and fills a table', async () => {
    const result = await runExperiment({ config, out });
    expect(
      result.runs.map(({ arm, seed, pretrainSeconds }) => [arm, seed, pretrainSeconds !== null]),
    ).toEqual([
      ['from scratch', 0, false],
      ['pre-trained', 0, true],
      ['from scratch', 1, false],
      ['pre-trained', 1, true],
    ]);
    expect(
      result.runs.every(({ evaluation }) => evaluation.cases.map(({ id }) => id).join() === 'ct/c'),
    ).toBe(true);
    expect(experimentTable(result).split('\n')).toHaveLength(2 + 4);
    expect(JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'))).toMatchObject({
      schema: 1,
      name: 'tiny',
    });
    expect(readFileSync(join(out, 'results.md'), 'utf8')).toContain('| pre-trained, seed 1  |');
    expect(existsSync(result.picture!)).toBe(true);
  });

  it('starts the arms of one seed with other weights, and pre-trains once a seed', () => {
    const first = (run: string) => readMetrics(join(out, run)).find((line) => 'loss' in line);
    expect(first('from-scratch-seed-0')).not.toEqual(first('pre-trained-seed-0'));
    expect(existsSync(join(out, 'pretrain-seed-0', 'checkpoints', 'last.safetensors'))).toBe(true);
    expect(existsSync(join(out, 'pretrain-seed-1', 'checkpoints', 'last.safetensors'))).toBe(true);
  });

  it('keeps what is finished when it is called again', async () => {
    const files = ['pretrain-seed-0', 'from-scratch-seed-0', 'pre-trained-seed-1'].map((run) =>
      join(out, run, 'checkpoints', 'state.json'),
    );
    const before = files.map((file) => statSync(file).mtimeMs);
    const again = await runExperiment({ config, out });
    expect(again.runs).toHaveLength(4);
    expect(files.map((file) => statSync(file).mtimeMs)).toEqual(before);
  });
});
