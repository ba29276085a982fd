import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkConfig, type ExperimentConfig, experimentConfig } from '../../src/config/index.js';
import { experimentTable, runExperiment } from '../../src/experiment/index.js';
import { evaluateRun } from '../../src/prediction/index.js';
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

  it('evaluates the last weights, also where others are the best, and others again when it is told so', async () => {
    const validating = checkConfig(
      experimentConfig,
      {
        ...config,
        seeds: [0],
        arms: [{ name: 'from scratch', pretrained: false }],
        evaluateTraining: false,
        finetune: {
          ...config.finetune,
          data: { cropSize: [32, 32, 32], validateOn: 'training' },
          train: { batchSize: 2, steps: 4, checkpointEvery: 2, validateEvery: 1 },
        },
      },
      'test',
    );
    const of = async (checkpoint: 'best' | 'last') => {
      const { runs, evaluated } = await runExperiment({
        config: { ...validating, checkpoint },
        out: `${out}-validating`,
      });
      expect(evaluated).toEqual({ split: 'test', checkpoint });
      return runs[0]!.evaluation.weights;
    };
    expect(await of('last')).toEqual({ checkpoint: 'last', chosenOnTheseCases: false });
    expect(
      existsSync(join(`${out}-validating`, 'from-scratch-seed-0', 'checkpoints', 'best.safetensors')),
    ).toBe(true);
    expect(readFileSync(join(`${out}-validating`, 'results.md'), 'utf8')).toMatch(
      /Evaluated on the test cases with the last weights of each run: no case chose them\./,
    );
    expect(await of('best')).toEqual({ checkpoint: 'best', chosenOnTheseCases: false });
    const reported = await evaluateRun({
      run: join(`${out}-validating`, 'from-scratch-seed-0'),
      split: 'training',
      task: 'x',
    });
    expect(reported.weights).toEqual({ checkpoint: 'best', chosenOnTheseCases: true });
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
