import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { experimentConfig, loadConfig } from '../../src/config/index.js';
import { type Cell, planCells } from '../../src/experiment/index.js';

/** How the weights of a row start: at random, from the collected CTs, or (a star) from the task's own training scans. */
type Start = 'scratch' | 'generic' | 'task-specific';
type Row = readonly [row: string, network: string, start: Start];

/** Rows of Tables 1 to 3, which differ in the spelling of the first. */
const methods = (first: string): Row[] => [
  [first, 'seg-res-net', 'scratch'],
  ['UNETR', 'unetr', 'scratch'],
  ['SwinUNETR', 'swin-unetr', 'scratch'],
  ['ModelGen', 'unet', 'generic'],
  ['TransVW', 'unet', 'generic'],
  ['UNetFormer*', 'swin-unetr', 'task-specific'],
  ['UNetFormer', 'swin-unetr', 'generic'],
  ['HybridMIM*(Swin)', 'swin-unetr', 'task-specific'],
  ['HybridMIM*(UNet)', 'unet', 'task-specific'],
  ['HybridMIM(Swin)', 'swin-unetr', 'generic'],
  ['HybridMIM(UNet)', 'unet', 'generic'],
];

/** Rows of Table 4, a backbone after the other. */
const losses = (start: Start): Row[] =>
  ['unet', 'swin-unetr'].flatMap((network): Row[] => [
    ['Supervised learning', network, 'scratch'],
    ['rec', network, start],
    ['rec + num', network, start],
    ['rec + num + loc', network, start],
    ['rec + num + loc + con', network, start],
    ['rec + num + loc + con + cl', network, start],
  ]);

/** The paper's rows, bars and curves, as its text has them, by experiment and the dataset that is fine-tuned on. */
const paper: Readonly<Record<string, Readonly<Record<string, readonly Row[]>>>> = {
  'table1-btcv': { btcv: methods('Segresnet') },
  'table2-msd': { 'msd-liver': methods('SegresNet'), 'msd-spleen': methods('SegresNet') },
  'table3-brats': { brats: methods('SegresNet') },
  'table4-ablation': { brats: losses('task-specific') }, // as its numbers are
  'table4-ablation-generic': { brats: losses('generic') }, // as its text says
  'figure4-labels': {
    brats: [
      ['HybridMIM(Swin)', 'swin-unetr', 'generic'],
      ['TransVW', 'unet', 'generic'],
      ['UNetFormer', 'swin-unetr', 'generic'],
    ],
  },
  'figure6-sizes': {
    brats: ['64-32-128', '64-16-128', '32-16-128', '32-8-128', '32-16-96', '32-16-64', '32-16-32'].map(
      (name): Row => [name, 'unet', 'generic'],
    ),
  },
};
const collected = ['atm22', 'luna16', 'covid-19-20', 'flare21'];

const cellsOf = async (name: string): Promise<Cell[]> =>
  planCells(await loadConfig(experimentConfig, `configs/experiment/${name}.yaml`), 'prepared');

function startOf(cells: readonly Cell[], cell: Extract<Cell, { kind: 'finetune' }>): Start | 'other' {
  if (cell.needs === undefined) return 'scratch';
  const pretraining = cells.find(({ id }) => id === cell.needs)!.settings;
  if (pretraining.network.name !== cell.settings.network.name || !('mode' in pretraining.data))
    return 'other';
  const { datasets, mode, split } = pretraining.data;
  const isOwn = JSON.stringify(datasets) === JSON.stringify(cell.settings.data.datasets);
  const isCollected = JSON.stringify(datasets) === JSON.stringify(collected);
  if (mode === 'task-specific' && isOwn && split === 'training') return 'task-specific';
  return mode === 'generic' && isCollected && split === 'all' ? 'generic' : 'other';
}

describe.each(Object.entries(paper))('%s', (name, tasks) => {
  it("has exactly the paper's rows in their order, each with its network and its start", async () => {
    const cells = await cellsOf(name);
    const found = cells.flatMap((cell) =>
      cell.kind === 'finetune' && cell.seed === 0 && cell.fraction === 1 ? [cell] : [],
    );
    const rowsOf = (task: string) =>
      found
        .filter(({ settings }) => settings.data.datasets?.join() === task)
        .map((cell): Row => [cell.row, cell.settings.network.name, startOf(cells, cell) as Start]);
    expect(Object.fromEntries(Object.keys(tasks).map((task) => [task, rowsOf(task)]))).toEqual(tasks);
    expect(found).toHaveLength(Object.values(tasks).flat().length);
  });
});

describe('figure4-labels', () => {
  it('has the same rows at every share of the labels, 20 % to all', async () => {
    const cells = (await cellsOf('figure4-labels')).flatMap((cell) =>
      cell.kind === 'finetune' ? [cell] : [],
    );
    for (const share of [0.2, 0.4, 0.6, 0.8, 1]) {
      const rows = cells.filter(({ fraction, seed }) => fraction === share && seed === 0);
      expect(rows.map(({ row }) => row)).toEqual(paper['figure4-labels']!.brats!.map(([row]) => row));
    }
    expect(cells).toHaveLength(5 * 3 * 3);
  });
});

/** What docs/prepare.md says of the example's datasets: cases and training cases. */
const counts = new Map(
  [...readFileSync('docs/prepare.md', 'utf8').matchAll(/^\| `([\w-]+)` \| (\d+) \| (\d+) \| \d+ \|$/gm)].map(
    ([, name, cases, training]) => [name!, { all: Number(cases), training: Number(training) }] as const,
  ),
);

describe.each([...Object.keys(paper), 'figure5-speed'])(
  'the cases of %s before anything is prepared',
  (name) => {
    it('are those that there are: all of what is only pre-trained on, and the training split of a task', async () => {
      const { trainingCases } = await loadConfig(experimentConfig, `configs/experiment/${name}.yaml`);
      const cells = await cellsOf(name);
      const used = cells.flatMap(({ settings }) => {
        const split = 'split' in settings.data ? settings.data.split : 'training';
        return (settings.data.datasets ?? []).map(
          (dataset) => [dataset, counts.get(dataset)![split === 'all' ? 'all' : 'training']] as const,
        );
      });
      expect(trainingCases).toEqual(Object.fromEntries(used));
      expect(counts.get('covid-19-20')!.all).toBe(199 + 50 + 46); // the paper's 448 are more than there are
    });
  },
);

describe('figure5-speed', () => {
  it("has the paper's bars from left to right, the fourth without a partial region", async () => {
    const cells = await cellsOf('figure5-speed');
    const bars = cells.map((cell) => {
      if (cell.kind !== 'pretrain') return [];
      const { method, network, data } = cell.settings;
      return [cell.rows.join(), network.name, 'region' in method && method.region === data.cropSize[0]];
    });
    expect(bars).toEqual([
      ['TransVW', 'unet', false],
      ['ModelGen', 'unet', false],
      ['UNetFormer', 'swin-unetr', false],
      ['HybridMIM(Swin), not partial', 'swin-unetr', true],
      ['HybridMIM(Swin)', 'swin-unetr', false],
      ['HybridMIM(UNet), not partial', 'unet', true],
      ['HybridMIM(UNet)', 'unet', false],
    ]);
  });
});
