import { describe, expect, it } from 'vitest';
import { experimentConfig, loadConfig } from '../../src/config/index.js';
import { summarise } from '../../src/evaluation/index.js';
import { filledFigure } from '../../src/experiment/filled-figure.js';
import { type Cell, planCells } from '../../src/experiment/index.js';
import type { ExperimentRun, PretrainingRun } from '../../src/experiment/run-cell.js';

const cellsOf = async (name: string): Promise<Cell[]> =>
  planCells(await loadConfig(experimentConfig, `configs/experiment/${name}.yaml`), 'prepared');

function runOf(cell: Cell, dice: number): ExperimentRun[] {
  if (cell.kind === 'pretrain') return [];
  const { arm, seed, fraction, id } = cell;
  const classes = { WT: { dice, hd95: 1, status: 'ok' as const } };
  const evaluation = summarise(arm, ['WT'], [{ id: 'a', classes }]);
  const seconds = { pretrainSeconds: null, finetuneSeconds: 1, training: null };
  return [{ arm, seed, fraction, run: id, ...seconds, evaluation }];
}

function pretrainingOf(cell: Cell, seconds: number): PretrainingRun[] {
  if (cell.kind === 'finetune') return [];
  const { id, title, seed } = cell;
  const stepSeconds = { median: seconds, min: seconds, max: seconds };
  return [{ id, title, seed, run: id, steps: 1, seconds, stepSeconds, firstLoss: 1, tasks: [], lastLoss: 1 }];
}

describe("the paper's figure of an experiment", () => {
  it('6 has the Dice and the seconds of each size, means over seeds', async () => {
    const cells = await cellsOf('figure6-sizes');
    const of = (cell: Cell) => (cell.settings.seed + cells.findIndex(({ id }) => id === cell.id) / 1000) / 10;
    const runs = cells.flatMap((cell) => runOf(cell, of(cell)));
    const pretrainings = cells.flatMap((cell) => pretrainingOf(cell, 1 + cell.seed));
    const { points } = filledFigure(6, cells, runs, pretrainings);
    expect(points.map(({ row }) => row)).toEqual([
      ...['64-32-128', '64-16-128', '32-16-128', '32-8-128', '32-16-96', '32-16-64', '32-16-32'],
    ]);
    for (const { row, dice, seconds } of points) {
      const own = cells.filter((cell) => cell.kind === 'finetune' && cell.row === row).map(of);
      expect(own).toHaveLength(3);
      expect(dice).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / 3, 12);
      expect(seconds).toBe(2); // of 1, 2 and 3
    }
  });

  it('4 has a point for each row and share of the labels', async () => {
    const cells = await cellsOf('figure4-labels');
    const runs = cells.flatMap((cell) =>
      cell.kind === 'finetune' ? runOf(cell, cell.fraction / 2 + (cell.row === 'TransVW' ? 0.1 : 0)) : [],
    );
    const { points } = filledFigure(4, cells, runs, []);
    expect(points).toHaveLength(3 * 5); // no published one is left over
    expect(points.find(({ row, share }) => row === 'TransVW' && share === 0.2)).toEqual({
      row: 'TransVW',
      share: 0.2,
      dice: expect.closeTo(0.2, 12),
      seconds: null,
      published: { dice: { value: 79.38, stated: false }, seconds: null },
    });
  });

  it('5 has the seconds of every bar, each with its own published one, and all that are published', async () => {
    const cells = await cellsOf('figure5-speed');
    const pretrainings = cells.flatMap((cell, i) => pretrainingOf(cell, i + 1));
    const { points } = filledFigure(5, cells, [], pretrainings);
    expect(points.map(({ seconds, published }) => [seconds, published.seconds?.value ?? null])).toEqual([
      [1, 1.42],
      [2, 1.42],
      [3, 1.13],
      [4, null],
      [5, 0.74],
      [6, 1.03],
      [7, 0.68],
    ]);
  });
});
