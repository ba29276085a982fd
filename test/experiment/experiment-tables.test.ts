import { describe, expect, it } from 'vitest';
import { checkConfig, experimentConfig } from '../../src/config/index.js';
import { summarise } from '../../src/evaluation/index.js';
import { experimentMarkdown, planCells } from '../../src/experiment/index.js';
import type { ExperimentRun } from '../../src/experiment/run-cell.js';

/** A run whose cases have the Dice that is given, of one class. */
function runOf(arm: string, seed: number, dice: readonly number[], fraction = 1): ExperimentRun {
  const evaluation = summarise(
    arm,
    ['liver'],
    dice.map((value, i) => ({ id: `case-${i}`, classes: { liver: { dice: value, hd95: 1, status: 'ok' } } })),
  );
  return {
    arm,
    seed,
    fraction,
    run: '',
    pretrainSeconds: null,
    finetuneSeconds: 1,
    training: null,
    evaluation,
  };
}

/** The cells of each row of the table of comparisons. */
function comparisons(runs: readonly ExperimentRun[], compare: [string, string][] | null): string[][] {
  const text = experimentMarkdown({
    schema: 1,
    name: 'x',
    pretrainings: [],
    runs,
    failed: [],
    compare,
    evaluated: { split: 'test', checkpoint: 'last' },
    paper: null,
    figure: null,
    plot: null,
    picture: null,
  });
  const table = text.split('## Two methods at a time\n\n')[1]!.split('\n\n')[0]!;
  return table
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('the comparison of arms over seeds and cases', () => {
  const runs = [
    runOf('A', 0, [0.5, 0.6, 0.7]),
    runOf('A', 1, [0.5, 0.6, 0.7]),
    runOf('B', 0, [0.6, 0.7, 0.8]),
    runOf('B', 1, [0.8, 0.9, 1]),
    runOf('C', 0, [0.5, 0.6, 0.8]),
  ];

  it('pairs seed with seed and case with case, and widens the interval by what seeds differ', () => {
    const [first] = comparisons(runs, [['B', 'A']]);
    // By 10 points with one seed and 30 with the other, alike on all cases: only the drawing of seeds moves the mean.
    expect(first).toEqual(['B - A', '2', '3', '+20.00', '+10.00 to +30.00', '0.25', '0.25']);
  });

  it('takes only the seeds that both have', () => {
    const [first] = comparisons(runs, [['C', 'B']]);
    expect(first!.slice(0, 4)).toEqual(['C - B', '1', '3', '-6.67']);
  });

  it('compares what is declared, at each share of the labels, else every pair, and corrects over all of them', () => {
    const shares = runs.map((run) => ({ ...run, fraction: 0.5 }));
    const names = comparisons([...runs, ...shares], [['B', 'A']]).map(([name]) => name);
    expect(names).toEqual(['B, 100% of labels - A, 100% of labels', 'B, 50% of labels - A, 50% of labels']);
    const all = comparisons(runs, null);
    expect(all.map(([name]) => name)).toEqual(['B - A', 'C - A', 'C - B']);
    expect(all.map((row) => row[6])).toEqual(['0.75', '1.0', '1.0']);
  });

  it('is refused before anything runs where it names an arm that there is not', () => {
    const section = { data: { cropSize: [32, 32, 32], datasets: ['a'] }, train: { batchSize: 2, steps: 4 } };
    const config = checkConfig(
      experimentConfig,
      {
        name: 'x',
        datasets: 'datasets.json',
        seeds: [0],
        arms: [{ name: 'A' }, { name: 'B' }],
        compare: [['B', 'a']],
        pretrain: section,
        finetune: section,
      },
      'test',
    );
    expect(() => planCells(config, 'prepared')).toThrow('experiment x compares "a", but its arms are A, B');
  });
});
