import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentConfig, loadConfig } from '../../src/config/index.js';
import { type PreparedIndex, prepareDatasets, readPreparedIndex } from '../../src/dataset/index.js';
import { evaluateCase, summarise } from '../../src/evaluation/index.js';
import { filledTable } from '../../src/experiment/filled-table.js';
import { type Cell, planCells } from '../../src/experiment/index.js';
import type { ExperimentRun } from '../../src/experiment/run-cell.js';
import { type LabelScheme, labelScheme } from '../../src/inference/index.js';
import { type Volume, writeNifti } from '../../src/volume/index.js';
import { asLabel, nestedBoxes, temporaryFolder, volumeOf, writeJson } from '../dataset/generated-data.js';

const folder = temporaryFolder();
const size = [24, 22, 20] as const;

/** The `dataset.json` files of the Decathlon, their cases apart. Task01 writes its tumours in two spellings. */
const descriptions = {
  Task01_BrainTumour: {
    name: 'BRATS',
    description: 'Gliomas segmentation tumour and oedema in on brain images',
    reference: 'https://www.med.upenn.edu/sbia/brats2017.html',
    licence: 'CC-BY-SA 4.0',
    release: '2.0 04/05/2018',
    tensorImageSize: '4D',
    modality: { 0: 'FLAIR', 1: 'T1w', 2: 't1gd', 3: 'T2w' },
    labels: { 0: 'background', 1: 'edema', 2: 'non-enhancing tumor', 3: 'enhancing tumour' },
  },
  Task03_Liver: {
    name: 'Liver',
    description: 'Liver and cancer segmentation',
    reference: 'IRCAD Hopitaux Universitaires',
    licence: 'CC-BY-SA 4.0',
    release: '1.0 06/08/2018',
    tensorImageSize: '3D',
    modality: { 0: 'CT' },
    labels: { 0: 'background', 1: 'liver', 2: 'cancer' },
  },
  Task09_Spleen: {
    name: 'Spleen',
    description: 'Spleen Segmentation',
    reference: 'Memorial Sloan Kettering Cancer Center',
    licence: 'CC-BY-SA 4.0',
    release: '1.0 06/08/2018',
    tensorImageSize: '3D',
    modality: { 0: 'CT' },
    labels: { 0: 'background', 1: 'spleen' },
  },
} as const;
type Task = keyof typeof descriptions;

/** A box within a box within a box: the values 1 to `most` from the outside in. */
const boxes = (most: number) =>
  asLabel(
    volumeOf([...size], (x, y, z) => {
      const inside = (margin: number) =>
        [x, y, z].every((p, axis) => p >= margin && p < size[axis]! - margin);
      return inside(6) ? Math.min(3, most) : Math.min(most, nestedBoxes([...size])(x, y, z));
    }),
  );

/** A task's folder as its archive unpacks, with five small cases, and the first of its names. */
async function unpack(task: Task): Promise<void> {
  const description = descriptions[task];
  const stem = { Task01_BrainTumour: 'BRATS', Task03_Liver: 'liver', Task09_Spleen: 'spleen' }[task];
  const names = Array.from({ length: 5 }, (_, i) => `${stem}_${i + 1}`);
  const channels = Object.keys(description.modality).length;
  for (const part of ['imagesTr', 'labelsTr', 'imagesTs'])
    mkdirSync(join(folder, task, part), { recursive: true });
  for (const name of names) {
    const image = volumeOf([...size], (x, y, z) => 20 + 3 * x + 2 * y + z);
    const data = Float32Array.from({ length: channels * image.data.length }, (_, i) =>
      Number(image.data[i % image.data.length]),
    );
    await writeNifti(join(folder, task, 'imagesTr', `${name}.nii.gz`), { ...image, channels, data });
    const most = Object.keys(description.labels).length - 1;
    await writeNifti(join(folder, task, 'labelsTr', `${name}.nii.gz`), boxes(most));
  }
  writeJson(join(folder, task, 'dataset.json'), {
    ...description,
    numTraining: names.length,
    numTest: 1,
    training: names.map((name) => ({
      image: `./imagesTr/${name}.nii.gz`,
      label: `./labelsTr/${name}.nii.gz`,
    })),
    test: [`./imagesTs/${stem}_99.nii.gz`],
  });
}

let index: PreparedIndex;
beforeAll(async () => {
  for (const task of Object.keys(descriptions)) await unpack(task as Task);
  const datasets = {
    'msd-liver': { layout: 'msd', path: 'Task03_Liver', spacing: null },
    'msd-spleen': { layout: 'msd', path: 'Task09_Spleen', spacing: null },
    brats: { layout: 'msd', path: 'Task01_BrainTumour', spacing: null },
  };
  const datasetsFile = writeJson(join(folder, 'datasets.json'), { schema: 1, datasets });
  const { skipped } = await prepareDatasets({ datasetsFile, out: join(folder, 'prepared'), workers: 1 });
  expect(skipped).toEqual([]);
  index = await readPreparedIndex(join(folder, 'prepared'));
});

/** What a run gives that predicts every class, a voxel too far to the right. */
function runOf(arm: string, reference: Volume, scheme: LabelScheme): ExperimentRun {
  const prediction = { ...reference, data: reference.data.map((_, i) => reference.data[i - 1] ?? 0) };
  const classes = scheme.names.map((name, i) => ({ name, values: scheme.values[i]! }));
  const evaluation = summarise(arm, scheme.names, [
    evaluateCase('a', prediction, reference, classes, { prediction: 'p', reference: 'r' }),
  ]);
  return {
    arm,
    seed: 0,
    fraction: 1,
    run: arm,
    pretrainSeconds: null,
    finetuneSeconds: 1,
    training: null,
    evaluation,
  };
}

const cellsOf = async (name: string): Promise<Extract<Cell, { kind: 'finetune' }>[]> => {
  const config = await loadConfig(experimentConfig, `configs/experiment/${name}.yaml`);
  return planCells(config, 'prepared').flatMap((cell) =>
    cell.kind === 'finetune' && cell.seed === 0 ? [cell] : [],
  );
};

describe("a tree with the Decathlon's own dataset.json", () => {
  it('fills every cell of Table 2, liver and cancer and spleen, in each of its rows', async () => {
    expect(index.datasets['msd-liver']!.classes).toEqual({ 1: 'liver', 2: 'cancer' });
    const cells = await cellsOf('table2-msd');
    const runs = cells.map(({ arm, settings }) => {
      const [dataset = ''] = settings.data.datasets ?? [];
      const { classes } = index.datasets[dataset]!;
      return runOf(arm, boxes(Object.keys(classes).length), labelScheme(classes, settings.data.regions));
    });
    const { rows, notes } = filledTable(2, cells, runs);
    const ours = rows.filter(({ published }) => !published);
    expect(ours.map(({ labels }) => labels[0])).toEqual(
      rows.filter(({ published }) => published).map(({ labels }) => labels[0]),
    );
    for (const { cells: found } of ours) for (const { text } of found) expect(text).toMatch(/^\d+\.\d\d$/);
    expect(notes.join(' ')).not.toMatch(/has no row/);
  });

  it('fills Table 3 by the regions of its own values, and those of BraTS are refused for it', async () => {
    const { classes } = index.datasets.brats!;
    const cells = await cellsOf('table3-brats');
    const ofBrats = cells[0]!.settings.data.regions;
    expect(() => labelScheme(classes, ofBrats)).toThrow(
      /has the label value 4, but the dataset's are 1, 2, 3/,
    );
    const scheme = labelScheme(classes, { WT: [1, 2, 3], TC: [2, 3], ET: [3] });
    const { rows } = filledTable(3, cells, [runOf(cells[0]!.arm, boxes(3), scheme)]);
    const ours = rows.filter(({ published }) => !published).map(({ cells: found }) => found);
    expect(ours).toHaveLength(1);
    for (const { text } of ours.flat()) expect(text).toMatch(/^\d+\.\d\d$/);
  });

  it('names an arm whose classes no table has', async () => {
    const cells = await cellsOf('table2-msd');
    const scheme = labelScheme({ 1: 'liver', 2: 'vessel' });
    const { notes } = filledTable(2, cells, [runOf(cells[0]!.arm, boxes(2), scheme)]);
    expect(notes.at(-1)).toMatch(/^SegresNet has no row: its classes, liver, vessel, are none/);
  });
});
