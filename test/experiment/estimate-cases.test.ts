import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkConfig, experimentConfig } from '../../src/config/index.js';
import { estimateCells, planCells, prepareExperiment } from '../../src/experiment/index.js';
import { datasetIndex, labelledCase, temporaryFolder, writeCase } from '../dataset/generated-data.js';

const folder = temporaryFolder();

it('counts all prepared cases of a pre-training that holds none out, and the training cases of a fine-tuning', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await writeCase(folder, name, [24, 22, 20]);
  const task = datasetIndex(
    names.map((name) => labelledCase(name)),
    { path: folder },
  ) as {
    datasets: { ct: object };
  };
  const { ct } = task.datasets;
  const shared = {
    network: { features: [4, 4, 4, 8, 8, 4] },
    train: { batchSize: 2, epochs: 2, validateEvery: 0 },
  };
  const config = checkConfig(
    experimentConfig,
    {
      name: 'counts',
      seeds: [0],
      arms: [{ name: 'a', pretrained: true }],
      datasets: { ...task, datasets: { task: ct, collected: ct } },
      pretrain: {
        ...shared,
        data: { cropSize: [32, 32, 32], datasets: ['collected'] },
        method: { subVolume: 16, patch: 8, region: 32, contrastDim: 8 },
      },
      finetune: { ...shared, data: { cropSize: [32, 32, 32], datasets: ['task'] } },
    },
    'test',
  );
  const prepared = await prepareExperiment({ config, out: join(folder, 'out') });
  const planned = await estimateCells(config, planCells(config, prepared), prepared);
  expect(planned.map(({ kind, cases, steps }) => [kind, cases, steps])).toEqual([
    ['pretrain', 5, 5],
    ['finetune', 4, 4],
  ]);
}, 120_000);
