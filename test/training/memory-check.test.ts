import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { labelScheme } from '../../src/inference/index.js';
import type { StepOfRun } from '../../src/training/estimate-step.js';
import { measureStepApart, pretrain } from '../../src/training/index.js';
import { requireMemory, stepBudget } from '../../src/training/memory-check.js';
import { differenceOf, smallerSteps } from '../../src/training/smaller-steps.js';
import { tensorMemory } from '../../src/training/tensor-memory.js';
import { gpu } from '../engine/gpu-graph.js';
import { temporaryFolder } from '../temporary-folder.js';
import { smokeFinetuneConfig } from './segmentation-data.js';
import { prepareSmokeData, smokePretrainConfig } from './smoke-data.js';

const folder = temporaryFolder();
const wide = 'network.features=[16,16,32,64,128,16]';
const gib = 2 ** 30;

const shown = (step: StepOfRun) =>
  [step.settings.train.batchSize, step.settings.data.cropSize.join('x')]
    .concat(
      'method' in step.settings && 'region' in step.settings.method ? [step.settings.method.region] : [],
    )
    .join(' ');

async function pretraining(...set: string[]): Promise<StepOfRun> {
  return { kind: 'pretrain', settings: await smokePretrainConfig('prepared', ...set), channels: 1 };
}

describe('the steps that are smaller than one', () => {
  it('halve the batch down to what contrast needs, then shorten the longest side by sub-volumes, with a region that fits', async () => {
    const step = await pretraining('train.batchSize=6', 'data.cropSize=[64,48,48]', 'method.region=48');
    expect([...smallerSteps(step)].map(shown)).toEqual([
      '3 64x48x48 48',
      '2 64x48x48 48',
      '2 48x48x48 48',
      '2 32x48x48 32',
      '2 32x32x48 32',
      '2 32x32x32 32',
      '2 16x32x32 16',
      '2 16x16x32 16',
      '2 16x16x16 16',
    ]);
  });

  it('go down to one crop in fine-tuning, and are told by what differs', async () => {
    const settings = await smokeFinetuneConfig('prepared', 'train.batchSize=4', 'data.cropSize=[48,32,32]');
    const step: StepOfRun = { kind: 'finetune', settings, channels: 1, scheme: labelScheme({ 1: 'a' }) };
    const smaller = [...smallerSteps(step)];
    expect(smaller.map(shown)).toEqual([
      '2 48x32x32',
      '1 48x32x32',
      '1 32x32x32',
      '1 16x32x32',
      '1 16x16x32',
      '1 16x16x16',
    ]);
    expect(smaller.slice(1, 3).map((one) => differenceOf(one, step))).toEqual([
      'train.batchSize 1',
      'train.batchSize 1 and data.cropSize [32,32,32]',
    ]);
    const other = await pretraining('train.batchSize=6', 'data.cropSize=[64,48,48]', 'method.region=48');
    expect(differenceOf([...smallerSteps(other)][3]!, other)).toBe(
      'train.batchSize 2, data.cropSize [32,48,48] and method.region 32',
    );
  });
});

describe('a step that may not fit in memory', () => {
  let prepared: string;
  beforeAll(async () => {
    prepared = await prepareSmokeData(folder);
  });

  it('is measured before the run, refused with a batch that was seen to fit, and leaves no folder', async () => {
    const set = [wide, 'data.cropSize=[64,64,64]', 'train.batchSize=4', 'method.region=32'];
    const notes: string[] = [];
    const out = join(folder, 'too-large');
    const run = pretrain({
      settings: await smokePretrainConfig(prepared, ...set),
      out,
      memoryBytes: 1.5 * gib,
      progress: { onNote: (note) => notes.push(note) },
    });
    const refusal = await run.then(
      () => '',
      (error: Error) => error.message,
    );
    const sentence =
      /^a pre-training step with train\.batchSize 4 and data\.cropSize \[64,64,64\] needs more than the 1\.5 GiB of memory that there are: train\.batchSize 2 fits, with (\d\.\d) GiB$/;
    expect(refusal).toMatch(sentence);
    // How much a step takes depends on the processor's kernels and on what the allocator keeps.
    expect(Number(sentence.exec(refusal)?.[1])).toBeLessThan(1.5);
    expect(notes).toEqual([
      'measuring the memory of a pre-training step, which may need what is free (1.5 GiB)',
      'a pre-training step needs more than that: looking for one that fits',
    ]);
    expect(existsSync(out)).toBe(false);
    const step = await pretraining(...set, 'train.batchSize=2');
    const outcome = await measureStepApart({ step, batch: 'whole' });
    expect(outcome.kind === 'measured' && outcome.step.peakBytes).toBeLessThan(stepBudget(step, 1.5 * gib));
  });

  it('is not measured where its activations tell either way', async () => {
    const notes: string[] = [];
    const check = { onNote: (note: string) => notes.push(note) };
    await requireMemory(await pretraining(), { ...check, memoryBytes: 3 * gib });
    const large = await pretraining('data.cropSize=[512,512,512]', 'method.region=256', 'train.batchSize=4');
    await expect(requireMemory(large, { ...check, memoryBytes: 4 * gib })).rejects.toThrow(
      /^a pre-training step needs at least 57\.3 GiB of memory, but 4\.0 GiB is free: .*; train\.batchSize 2, data\.cropSize \[\d+,\d+,\d+\] and method\.region \d+ fits$/,
    );
    await expect(requireMemory(large, { ...check, memory: { bytes: 4 * gib, of: 'gpu' } })).rejects.toThrow(
      /^a pre-training step needs at least 57\.3 GiB of memory, but the GPU has 4\.0 GiB: .* fits$/,
    );
    expect(notes).toEqual([]);
  });

  it('is measured without a limit for the process where its tensors lie on a GPU, which TensorFlow limits', async () => {
    const notes: string[] = [];
    const memory = { bytes: 0.5 * gib, of: 'gpu' } as const; // the process itself takes more than that
    await requireMemory(await pretraining(), { memory, onNote: (note) => notes.push(note) });
    expect(notes).toEqual([
      'measuring the memory of a pre-training step, which may need what the GPU has (0.5 GiB)',
    ]);
  });

  it('is held to the memory of the device that it would run on', () => {
    expect(tensorMemory(gib, { kind: 'cpu', cores: 2, avx512: true, bfloat16: 'native' })).toEqual({
      bytes: gib,
      of: 'machine',
    });
    expect(tensorMemory(gib, gpu)).toEqual({ bytes: 80 * gib, of: 'gpu' });
  });
});
