// A process of its own: oneDNN keeps what it made for one number of threads, and the eager engine has one a core.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pretrain, readMetrics, type StepLine } from '../../src/training/index.js';
import { prepareSmokeData, smokePretrainConfig } from './smoke-data.js';

it('pre-training has the same losses compiled and eager, all five of them, within 1e-5 over 20 steps', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'engines-agree-'));
  const prepared = await prepareSmokeData(folder);
  const lossesOf = async (engine: 'graph' | 'eager') => {
    const out = join(folder, engine);
    const settings = await smokePretrainConfig(
      prepared,
      'train.threads=0',
      `train.engine=${engine}`,
      'train.steps=20',
      'train.validateEvery=0',
      'train.checkpointEvery=100',
      'data.cropSize=[32,32,32]',
    );
    await pretrain({ settings, out, resume: false, progress: {} });
    return readMetrics(out)
      .filter((line): line is StepLine => 'losses' in line)
      .map(({ losses }) => losses);
  };
  const [graph, eager] = [await lossesOf('graph'), await lossesOf('eager')];
  expect(graph).toHaveLength(20);
  for (const [i, losses] of graph.entries()) {
    expect(Object.keys(losses)).toHaveLength(5);
    for (const [name, loss] of Object.entries(losses))
      expect(Math.abs(loss - eager[i]![name]!)).toBeLessThan(1e-5);
  }
});
