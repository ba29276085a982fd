import { join } from 'node:path';
import { loadConfig, type PretrainConfig, pretrainConfig } from '../../src/config/index.js';
import { prepareDatasets } from '../../src/dataset/index.js';
import { datasetIndex, labelledCase, writeCase, writeJson } from '../dataset/generated-data.js';

/** Prepares four training and two validation volumes of 40 x 36 x 34 voxels with labels. */
export async function prepareSmokeData(folder: string): Promise<string> {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const name of names) await writeCase(folder, name, [40, 36, 34]);
  const cases = names.map((name, i) => labelledCase(name, { split: i < 4 ? 'training' : 'validation' }));
  const datasetsFile = writeJson(join(folder, 'datasets.json'), datasetIndex(cases));
  const out = join(folder, 'prepared');
  await prepareDatasets({ datasetsFile, out, workers: 1 });
  return out;
}

/** The smoke configuration over `prepared`. */
export async function smokePretrainConfig(prepared: string, ...overrides: string[]): Promise<PretrainConfig> {
  return loadConfig(pretrainConfig, 'configs/smoke/pretrain.yaml', [
    `data.prepared=${JSON.stringify(prepared)}`,
    'train.threads=1', // two test files run side by side
    ...overrides,
  ]);
}
