import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune, pretrain } from '../../src/training/index.js';
import { openRunWeights } from '../../src/weights/index.js';
import { longTests } from '../long-tests.js';
import { prepareOrgans, smokeFinetuneConfig } from './segmentation-data.js';
import { smokePretrainConfig } from './smoke-data.js';

const folder = mkdtempSync(join(tmpdir(), 'networks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let prepared: string;
beforeAll(async () => {
  prepared = await prepareOrgans(join(folder, 'organs'));
});

const tiny = {
  'seg-res-net':
    '{ name: seg-res-net, initFilters: 4, blocksDown: [1, 1, 1], blocksUp: [1, 1], normGroups: 2, dropout: 0.1 }',
  unetr:
    '{ name: unetr, imageSize: [32, 32, 64], featureSize: 4, hiddenSize: 12, mlpDim: 16, numHeads: 2, dropout: 0.1 }',
  'swin-unetr':
    '{ name: swin-unetr, featureSize: 12, depths: [1, 2, 1, 1], numHeads: [3, 3, 3, 3], window: [4, 4, 4], dropout: 0.1 }',
};
const common = [
  'data.cropSize=[32,32,64]',
  'train.steps=2',
  'train.warmupSteps=0',
  'train.validateEvery=0',
  'train.checkpointEvery=1',
];

// The short suite takes the first of them.
describe.each(Object.entries(tiny).slice(0, longTests ? undefined : 1))(
  '%s by its configuration',
  { timeout: 240_000 },
  (name, settings) => {
    it('is pre-trained, fine-tuned from that, and predicts', async () => {
      const own = [
        ...common,
        `network=${settings}`,
        'method.subVolume=32',
        'method.patch=16',
        'method.region=32',
      ];
      const config = await smokePretrainConfig(prepared, ...own);
      const out = join(folder, `${name}-pretrained`);
      const whole = await pretrain({ settings: config, out, resume: false, progress: {} });

      const run = join(folder, `${name}-finetuned`);
      await finetune({
        settings: await smokeFinetuneConfig(prepared, ...common, `network=${settings}`),
        init: whole.last,
        out: run,
        resume: false,
        progress: {},
      });
      const opened = await openRunWeights({ runs: [run] });
      expect(opened.predictor.network.name).toBe(name);
      const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] } as never;
      const scan = {
        size: [32, 32, 64],
        spacing: [1, 1, 1],
        affine,
        channels: 1,
        data: new Float32Array(32 * 32 * 64).map((_, i) => (i % 97) / 97),
      };
      const logits = await opened.predictor.logits(scan as never);
      opened.close();
      expect(logits).toMatchObject({ size: [32, 32, 64], channels: 3 });
      expect(logits.data.every(Number.isFinite)).toBe(true);
    });
  },
);
