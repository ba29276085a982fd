import { beforeAll, describe, expect, it } from 'vitest';
import { experimentConfig, loadConfig } from '../../src/config/index.js';
import { summarise } from '../../src/evaluation/index.js';
import { filledTable } from '../../src/experiment/filled-table.js';
import { type Cell, experimentMarkdown, planCells } from '../../src/experiment/index.js';
import type { ExperimentRun } from '../../src/experiment/run-cell.js';

let cells: Cell[];
beforeAll(async () => {
  cells = planCells(await loadConfig(experimentConfig, 'configs/experiment/table2-msd.yaml'), 'prepared');
});

/** A run of one case whose classes have these Dice, with a distance of 2 mm. */
function runOf(arm: string, seed: number, dice: Readonly<Record<string, number | null>>): ExperimentRun {
  const classes = Object.fromEntries(
    Object.entries(dice).map(([name, value]) => [
      name,
      { dice: value, hd95: value === null ? null : 2, status: 'ok' as const },
    ]),
  );
  const evaluation = summarise(arm, Object.keys(dice), [{ id: 'a', classes }]);
  return {
    arm,
    seed,
    fraction: 1,
    run: arm,
    pretrainSeconds: null,
    finetuneSeconds: 1,
    training: null,
    evaluation,
  };
}

describe("the paper's table of an experiment", () => {
  it('has a row an arm below the published ones, by the name there, with means over seeds, and tasks side by side', () => {
    const runs = [
      runOf('Liver, HybridMIM(UNet)', 0, { liver: 0.95, tumour: 0.5 }),
      runOf('Liver, HybridMIM(UNet)', 1, { liver: 0.97, tumour: null }),
      runOf('Spleen, HybridMIM(UNet)', 0, { spleen: 0.9 }),
      runOf('Liver, UNETR', 0, { liver: 0.9, tumour: 0.3 }),
    ];
    const { rows } = filledTable(2, cells, runs);
    const ours = rows
      .filter(({ published }) => !published)
      .map(({ labels, cells: found }) => [...labels, ...found.map(({ text }) => text)]);
    expect(ours).toEqual([
      ['HybridMIM(UNet)', '96.00', '50.00', '84.75', '2.00', '2.00', '2.00', '90.00', '2.00'], // (72.5 + 97) / 2, as each seed's own mean
      ['UNETR', '90.00', '30.00', '60.00', '2.00', '2.00', '2.00', '-', '-'],
    ]);
    for (const [name] of ours)
      expect(rows.filter(({ published, labels }) => published && labels[0] === name)).toHaveLength(1);
  });

  it('begins the results', () => {
    const paper = filledTable(2, cells, [runOf('Spleen, TransVW', 0, { spleen: 0.9 })]);
    const text = experimentMarkdown({
      schema: 1,
      name: 'x',
      evaluated: { split: 'validation', checkpoint: 'last' },
      pretrainings: [],
      runs: [],
      failed: [],
      compare: null,
      paper,
      figure: null,
      plot: null,
      picture: null,
    });
    expect(text).toMatch(/^## The paper's table\n\n\*\*Table 2\./);
    expect(text).toMatch(/^\| TransVW \(published\) .*\| TransVW +\| /ms);
  });
});
