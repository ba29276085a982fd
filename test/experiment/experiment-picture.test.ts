import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentConfig, loadConfig } from '../../src/config/index.js';
import { readPreparedIndex } from '../../src/dataset/index.js';
import { summarise } from '../../src/evaluation/index.js';
import { experimentPicture, pictureColumns } from '../../src/experiment/experiment-picture.js';
import { type Cell, planCells, prepareExperiment } from '../../src/experiment/index.js';
import type { ExperimentRun } from '../../src/experiment/run-cell.js';
import { predictionFiles, readReference } from '../../src/prediction/index.js';
import { contourRow } from '../../src/report/figures/contour-rows.js';
import { type ContourFigureContent, writeContourFigureOf } from '../../src/report/index.js';
import { writeNifti } from '../../src/volume/index.js';
import { temporaryFolder } from '../temporary-folder.js';
import { loadTiny } from './tiny-experiment.js';

const folder = temporaryFolder();
type Finetuning = Extract<Cell, { kind: 'finetune' }>;
const finetunings = (cells: readonly Cell[]): Finetuning[] =>
  cells.flatMap((cell) => (cell.kind === 'finetune' ? [cell] : []));
const columnsOf = async (name: string) => {
  const config = await loadConfig(experimentConfig, `configs/experiment/${name}.yaml`);
  return pictureColumns(finetunings(planCells(config, 'prepared')), config.picture);
};

/** Those that the paper names of its Figure 3, in the order of its tables; the last is what it shows of its own. */
const figure3 = ['UNETR', 'SwinUNETR', 'ModelGen', 'TransVW', 'UNetFormer', 'HybridMIM(Swin)'];

describe('the columns of the picture', () => {
  it.each([
    ['table1-btcv', 'Segresnet'],
    ['table2-msd', 'SegresNet'],
    ['table3-brats', 'SegresNet'],
  ])("of %s are the methods that the paper names of Figure 3, in the tables' order", async (name, first) => {
    expect((await columnsOf(name)).map(({ title }) => title)).toEqual([first, ...figure3]);
  });

  it('are every arm where none are named, HybridMIM among them', async () => {
    const titles = (await columnsOf('table4-ablation')).map(({ title }) => title);
    expect(titles).toHaveLength(12);
    expect(titles.slice(-2)).toEqual(['Swin, rec + num + loc + con', 'Swin, rec + num + loc + con + cl']);
    expect((await columnsOf('figure4-labels')).map(({ title }) => title)).toEqual([
      ...['HybridMIM(Swin)', 'TransVW', 'UNetFormer'],
    ]);
  });

  it('are refused where they name no row', async () => {
    const config = await loadConfig(experimentConfig, 'configs/experiment/table1-btcv.yaml', [
      'picture=[UNETR, HybridMM]',
    ]);
    expect(() => planCells(config, 'p')).toThrow(
      /no row "HybridMM" for its picture; it has Segresnet, UNETR/,
    );
  });
});

describe('the picture of Table 2', () => {
  let content: ContourFigureContent;
  beforeAll(async () => {
    const config = await loadTiny('table2-msd');
    const out = join(folder, 'out');
    const prepared = await prepareExperiment({ config, out });
    const index = await readPreparedIndex(prepared);
    const cells = finetunings(planCells(config, prepared));
    const runs: ExperimentRun[] = [];
    for (const { arm, id, seed, fraction, settings } of cells) {
      const cases = index.cases.filter(
        ({ dataset, split }) => split === 'validation' && settings.data.datasets!.includes(dataset),
      );
      const run = join(out, id);
      mkdirSync(join(run, 'predictions'), { recursive: true });
      for (const drawn of cases)
        await writeNifti(predictionFiles(run, cases).get(drawn.id)!, await readReference(index, drawn));
      const results = cases.map((drawn) => ({ id: drawn.id, classes: {} }));
      const evaluation = { ...summarise(arm, [], []), cases: results };
      const times = { pretrainSeconds: null, finetuneSeconds: 1, training: null };
      runs.push({ arm, seed, fraction, run, ...times, evaluation });
    }
    content = await experimentPicture('x', prepared, pictureColumns(cells, config.picture), runs);
  });

  it('has a row a task, the organs of both, and each method in every row', async () => {
    expect(content.methods).toEqual(['SegresNet', ...figure3]);
    expect(content.classes.map(({ name }) => name)).toEqual(['liver', 'tumour', 'spleen']);
    const panels = await Promise.all(content.cases.map((load) => load()));
    expect(panels.map(({ classes }) => classes!.map(({ name }) => name).join())).toEqual([
      'liver,tumour',
      'spleen',
    ]);
    const { methods, classes } = content;
    const seen = new Set<string>();
    for (const panel of panels) {
      expect(Object.keys(panel.predictions)).toEqual(methods);
      const row = contourRow(panel, {
        methods,
        classes,
        planes: ['axial'],
        window: undefined,
        everyClass: true,
      });
      for (const { reference } of row.slices)
        for (const [i, mask] of reference!.entries()) if (mask.values.includes(1)) seen.add(classes[i]!.name);
      expect(row.captions).toEqual(methods.map(() => 'mean Dice 100.00 %'));
    }
    expect(seen).toEqual(new Set(['liver', 'tumour', 'spleen'])); // every organ
  });

  it('is drawn', async () => {
    await writeContourFigureOf(join(process.env.HYBRIDMIM_KEEP_FIGURES ?? folder, 'picture.png'), content);
  });
});
