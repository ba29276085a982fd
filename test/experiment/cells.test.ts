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

  it('takes one share of labels as it takes several, and leaves a share of the fine-tuning alone where it has none', () => {
    const sharesOf = (extra: object) =>
      planCells(config({ ...full, ...extra }), 'prepared').flatMap((cell) =>
        cell.kind === 'finetune' ? [[cell.fraction, /labels-(\d+)/.exec(cell.id)?.[1]]] : [],
      );
    for (const share of sharesOf({ fractions: [0.2] })) expect(share).toEqual([0.2, '20']);
    const half = { finetune: { ...common, data: { ...common.data, datasets: ['task'], fraction: 0.5 } } };
    for (const share of sharesOf(half)) expect(share).toEqual([0.5, undefined]);
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

  it('pre-trains once on a task for all arms that fine-tune on it, however long, and once more for another task', () => {
    const arm = (name: string, finetune: object) => ({
      name,
      network: 'UNet',
      method: 'HybridMIM',
      finetune,
    });
    const arms = [
      arm('short', { train: { steps: 2 } }),
      arm('long', { train: { steps: 8 } }),
      arm('other', { data: { datasets: ['another'] } }),
    ];
    const cells = planCells(config({ arms, mode: 'task-specific', seeds: [0] }), 'prepared');
    expect(cells.map(({ id }) => id)).toEqual([
      'pretrain-hybridmim-unet-task-seed-0',
      'short-seed-0',
      'long-seed-0',
      'pretrain-other-seed-0',
      'other-seed-0',
    ]);
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

describe('the cases of a pre-training', () => {
  const splitsOf = (extra: object, pretrain: object = {}) => {
    const { data = {}, train = {} } = pretrain as { data?: object; train?: object };
    const section = {
      data: { cropSize: [32, 32, 32], datasets: ['collected'], ...data },
      train: { batchSize: 2, steps: 4, validateEvery: 0, ...train },
    };
    const cells = planCells(config({ ...full, pretrain: section, ...extra }), 'prepared');
    return Object.fromEntries(
      cells.flatMap((cell) =>
        cell.kind === 'pretrain' ? [[cell.settings.data.mode, cell.settings.data.split]] : [],
      ),
    );
  };

  it('are all of a collection that nothing holds out, and the training cases of the task', () => {
    expect(splitsOf({})).toEqual({ generic: 'all', 'task-specific': 'training' });
    expect(splitsOf({ finetune: null, matrix: { ...full.matrix, modes: ['generic'] } })).toEqual({
      generic: 'all',
    });
  });

  it.each([
    ['it validates', {}, { train: { validateEvery: 2 } }],
    ['the split is said', {}, { data: { split: 'training' } }],
    ['an arm is fine-tuned on it', {}, { data: { datasets: ['collected', 'task'] } }],
    ['one arm alone is', { arms: [{ name: 'own', finetune: { data: { datasets: ['collected'] } } }] }, {}],
    ['it is of everything that was prepared', {}, { data: { datasets: undefined } }],
    ['fine-tuning is', { matrix: { ...full.matrix, modes: ['generic'] }, finetune: common }, {}],
  ])('are the training cases where %s', (_, extra, pretrain) => {
    expect(splitsOf(extra, pretrain).generic).toBe('training');
  });

  it('are those of the mode that the experiment has for arms without one', () => {
    const arms = [
      { name: 'a', method: 'HybridMIM' },
      { name: 'b' },
      { name: 'c', method: 'ModelGen', mode: 'generic' },
    ];
    const cells = planCells(config({ arms, mode: 'task-specific' }), 'prepared');
    const modes = cells.flatMap((cell) => (cell.kind === 'pretrain' ? [cell.settings.data.mode] : []));
    expect(modes.slice(0, 2)).toEqual(['task-specific', 'generic']);
    expect(
      cells.some((cell) => cell.kind === 'finetune' && cell.arm === 'b' && cell.needs === undefined),
    ).toBe(true);
  });
});

describe('the weights that are evaluated', () => {
  const evaluatedBy = (extra: object, data: object = {}, train: object = {}) => {
    const finetune = {
      data: { ...common.data, datasets: ['task'], ...data },
      train: { ...common.train, validateEvery: 2, ...train },
    };
    return planCells(config({ ...full, finetune, ...extra }), 'prepared').flatMap((cell) =>
      cell.kind === 'finetune' ? [cell.evaluated] : [],
    );
  };

  it('are the last ones unless the configuration says otherwise', () => {
    for (const evaluate of ['validation', 'test'])
      expect(new Set(evaluatedBy({ evaluate }).map(({ checkpoint }) => checkpoint))).toEqual(
        new Set(['last']),
      );
  });

  it('may be the best ones where other cases choose them', () => {
    const best = { checkpoint: 'best' };
    expect(evaluatedBy({ ...best, evaluate: 'test' })[0]).toEqual({ split: 'test', checkpoint: 'best' });
    expect(evaluatedBy({ ...best, evaluate: 'validation' }, { validateOn: 'training' })[0]).toEqual({
      split: 'validation',
      checkpoint: 'best',
    });
  });

  it('are refused where the reported cases choose them, or none do', () => {
    expect(() => evaluatedBy({ checkpoint: 'best', evaluate: 'validation' })).toThrow(
      /best weights of arm "UNet", but the validation cases would choose them, which are those that it reports: set checkpoint to last/,
    );
    expect(() => evaluatedBy({ checkpoint: 'best' }, {}, { validateEvery: 0 })).toThrow(
      /but nothing chooses them, since train.validateEvery is 0/,
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
