import { describe, expect, it } from 'vitest';
import { checkConfig, experimentConfig } from '../../src/config/index.js';
import { InterruptedError } from '../../src/errors.js';
import { type Cell, planCells } from '../../src/experiment/index.js';
import { runCells } from '../../src/experiment/run-cells.js';

const common = { data: { cropSize: [32, 32, 32] }, train: { batchSize: 2, steps: 4 } };
const config = (extra: object) =>
  checkConfig(
    experimentConfig,
    {
      name: 'table',
      datasets: 'datasets.json',
      seeds: [0, 1],
      networks: { UNet: { features: [4, 4, 4, 8, 8, 4] }, Wide: { features: [8, 8, 8, 8, 8, 8] } },
      methods: { HybridMIM: { method: { region: 32 } }, ModelGen: { method: { name: 'models-genesis' } } },
      pretrain: { ...common, data: { ...common.data, datasets: ['collected'] } },
      finetune: { ...common, data: { ...common.data, datasets: ['task'] } },
      ...extra,
    },
    'test',
  );
const full = {
  matrix: {
    methods: ['none', 'HybridMIM', 'ModelGen'],
    networks: ['UNet', 'Wide'],
    modes: ['generic', 'task-specific'],
  },
};

describe('the matrix of an experiment', () => {
  const cells = planCells(config({ ...full, fractions: [0.2, 1] }), 'prepared');
  const finetunings = cells.filter((cell) => cell.kind === 'finetune');
  const pretrainings = cells.filter((cell) => cell.kind === 'pretrain');

  it('has a run for every method, network, mode, seed and share of labels, named as in the paper', () => {
    const arms = ['UNet', 'HybridMIM(UNet)', 'HybridMIM*(UNet)', 'ModelGen(UNet)', 'ModelGen*(UNet)'];
    expect([...new Set(finetunings.map(({ arm }) => arm))]).toEqual([
      ...arms,
      ...arms.map((name) => name.replace('UNet', 'Wide')),
    ]);
    expect(finetunings).toHaveLength(10 * 2 * 2);
    expect(new Set(cells.map(({ id }) => id)).size).toBe(cells.length);
    expect(finetunings.map(({ id }) => id)).toContain('hybridmim-task-unet-labels-20-seed-1');
  });

  it('pre-trains once for all shares of labels, and before what needs it', () => {
    expect(pretrainings).toHaveLength(2 * 2 * 2 * 2);
    for (const { arm, needs, seed } of finetunings) {
      if (arm === 'UNet' || arm === 'Wide') expect(needs).toBeUndefined();
      else expect(pretrainings.find(({ id }) => id === needs)?.seed).toBe(seed);
    }
    for (const [i, cell] of cells.entries()) {
      if (cell.kind === 'finetune' && cell.needs)
        expect(cells.findIndex(({ id }) => id === cell.needs)).toBeLessThan(i);
    }
  });

  it('gives every run its seed, its network, its method, its share and the data of its mode', () => {
    const specific = pretrainings.find(({ id }) => id === 'pretrain-modelgen-wide-task-seed-1')!.settings;
    expect(specific).toMatchObject({
      seed: 1,
      method: { name: 'models-genesis', flip: 0.4 },
      network: { features: [8, 8, 8, 8, 8, 8] },
    });
    expect(specific.data).toMatchObject({
      mode: 'task-specific',
      datasets: ['task'],
      split: 'training',
      prepared: 'prepared',
    });
    expect(
      pretrainings.find(({ id }) => id === 'pretrain-hybridmim-unet-seed-0')!.settings.data,
    ).toMatchObject({
      mode: 'generic',
      datasets: ['collected'],
    });
    const fifth = finetunings.find(({ id }) => id === 'unet-labels-20-seed-0')!;
    expect(fifth.settings).toMatchObject({
      seed: 0,
      data: { fraction: 0.2, datasets: ['task'] },
      network: { features: [4, 4, 4, 8, 8, 4] },
    });
  });

  it('may be joined by arms with settings of their own, and may end after pre-training', () => {
    const arms = [{ name: 'half', method: 'HybridMIM', pretrain: { method: { maskRatio: 0.5 } } }];
    const only = planCells(config({ arms, finetune: undefined }), 'prepared');
    expect(only.map(({ id }) => id)).toEqual(['pretrain-half-seed-0', 'pretrain-half-seed-1']);
    expect(only[0]!.settings).toMatchObject({ method: { name: 'hybridmim', region: 32, maskRatio: 0.5 } });
  });

  it.each([
    [
      'an unknown method',
      { matrix: { methods: ['SimMIM'], networks: ['UNet'] } },
      /"SimMIM" is used, but methods has HybridMIM, ModelGen/,
    ],
    [
      'an unknown network',
      { arms: [{ name: 'a', network: 'Swin' }] },
      /"Swin" is used, but networks has UNet, Wide/,
    ],
    ['nothing to run', {}, /nothing to run: give arms or a matrix/],
  ])('is refused with %s', (_, extra, message) => {
    expect(() => config(extra)).toThrow(message);
  });

  it('is refused with two arms of one name, or a section that does not pass its schema, naming the arm', () => {
    expect(() => planCells(config({ arms: [{ name: 'A b' }, { name: 'a-b' }] }), 'p')).toThrow(
      /two arms named "a-b"/,
    );
    const wrong = config({ arms: [{ name: 'wrong', finetune: { train: { stepz: 1 } } }] });
    expect(() => planCells(wrong, 'p')).toThrow(
      /the fine-tuning of arm "wrong" of experiment table: there is no key "train.stepz"/,
    );
  });
});

describe('running cells', () => {
  const cells = planCells(config(full), 'prepared');
  const ended = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

  it.each([1, 3])('begins each after what it needs, %i at a time', async (jobs) => {
    const finished = new Set<string>();
    let [running, most] = [0, 0];
    const failed = await runCells(cells, jobs, async (cell: Cell) => {
      most = Math.max(most, ++running);
      if (cell.kind === 'finetune' && cell.needs) expect(finished).toContain(cell.needs);
      await ended();
      finished.add(cell.id);
      running--;
    });
    expect(failed).toEqual([]);
    expect(finished.size).toBe(cells.length);
    expect(most).toBe(jobs);
  });

  it('goes on past a failed cell, leaves out what needs it, and says both', async () => {
    const tried: string[] = [];
    const failed = await runCells(cells, 2, async (cell) => {
      tried.push(cell.id);
      await ended();
      if (cell.id === 'pretrain-hybridmim-unet-seed-0') throw new Error('no space left');
      if (cell.id === 'unet-seed-1') throw new Error('killed');
    });
    expect(failed.map(({ id, reason }) => [id, reason])).toEqual([
      ['pretrain-hybridmim-unet-seed-0', 'no space left'],
      ['hybridmim-unet-seed-0', 'not run, because pre-training HybridMIM UNet, seed 0 failed'],
      ['unet-seed-1', 'killed'],
    ]);
    expect(tried).toHaveLength(cells.length - 1);
  });

  it('stops at an interruption, after what was running has ended', async () => {
    const tried: string[] = [];
    const stopped = runCells(cells, 2, async ({ id }) => {
      tried.push(id);
      await ended();
      if (tried.length >= 4) throw new InterruptedError('stopped');
    });
    await expect(stopped).rejects.toBeInstanceOf(InterruptedError);
    expect(tried.length).toBeLessThan(7);
  });
});
