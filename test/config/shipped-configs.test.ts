import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ExperimentConfig,
  experimentConfig,
  type FinetuneConfig,
  finetuneConfig,
  loadConfig,
  loadTask,
  type PretrainConfig,
  pretrainConfig,
} from '../../src/config/index.js';
import { brats } from '../../src/dataset/index/layouts/brats.js';
import { btcv } from '../../src/dataset/index/layouts/btcv.js';
import { readDatasetFile } from '../../src/dataset/index.js';
import { preprocessingOf } from '../../src/dataset/prepare/preprocessing.js';
import { planCells } from '../../src/experiment/index.js';
import { labelScheme } from '../../src/inference/index.js';
import { makeNetwork, networkNames, spatialSize } from '../../src/network/index.js';
import { pretextMethod } from '../../src/pretext/index.js';
import { paperTables } from '../../src/report/index.js';
import { learningRateAt, scheduleOf } from '../../src/training/schedule.js';
import { temporaryFolder, writeJson } from '../dataset/generated-data.js';

const yaml = (folder: string) =>
  readdirSync(join('configs', folder)).map((name) => join('configs', folder, name));
const schemas = { pretrain: pretrainConfig, finetune: finetuneConfig, experiment: experimentConfig };

describe('every shipped configuration', () => {
  it('stands in a folder that this test knows, as YAML', () => {
    expect(readdirSync('configs').sort()).toEqual(
      [...Object.keys(schemas), 'cluster', 'experiment-tiny', 'smoke', 'tasks'].sort(),
    );
    for (const folder of readdirSync('configs').filter((name) => name !== 'cluster'))
      for (const file of yaml(folder)) expect(file).toMatch(/\.yaml$/);
  });

  for (const [folder, schema] of Object.entries(schemas)) {
    it.each(yaml(folder))('%s passes its schema', async (file) => {
      await loadConfig(schema, file);
    });
  }

  it.each(yaml('smoke'))('%s passes its schema', async (file) => {
    await loadConfig(file.includes('pretrain') ? pretrainConfig : finetuneConfig, file);
  });

  it.each(yaml('tasks'))('%s is a task whose regions are of its classes', async (file) => {
    const { classes, regions, labelMap } = await loadTask(basename(file, '.yaml'));
    expect(labelScheme(classes, regions).names).toEqual(
      Object.keys(regions ?? {}).length > 0 ? Object.keys(regions!) : Object.values(classes),
    );
    for (const value of Object.values(labelMap ?? {})) expect(Object.keys(classes)).toContain(String(value));
  });
});

describe.each(yaml('pretrain').filter((file) => file.includes('hybridmim')))('%s', (file) => {
  it('has the target region, masks, heads and loss weights of the paper (3.2 to 3.5)', async () => {
    const { method } = await loadConfig(pretrainConfig, file);
    expect(method).toMatchObject({
      name: 'hybridmim',
      subVolume: 32,
      patch: 16,
      region: file.includes('brats') ? 96 : 64,
      maskRatio: 0.4,
    });
    expect(method).toMatchObject({
      reconstruction: 'l2',
      consistency: 'soft',
      temperature: 0.5,
      contrastDim: 384,
    });
    expect(method).toMatchObject({
      weights: { reconstruction: 1, number: 0.1, location: 0.1, consistency: 0.01, contrast: 0.1 },
    });
  });
});

describe.each(yaml('pretrain'))('%s', (file) => {
  let config: PretrainConfig;
  beforeAll(async () => {
    config = await loadConfig(pretrainConfig, file);
  });
  const brats = file.includes('brats');

  it('has the crop and batch of the paper (4.3), and the method of its name', () => {
    const side = brats ? 128 : 96;
    expect(config.data.cropSize).toEqual([side, side, side]);
    expect(config.train.batchSize).toBe(brats ? 2 : 4);
    expect(basename(file).startsWith(`${config.method.name}-`)).toBe(true);
  });

  it('has sizes that fit: network, method and batch go together', () => expectToFit(config));

  it('has the optimiser of the paper (4.3): AdamW for 100,000 steps after 50 epochs of warm-up', () => {
    expect(config.train).toMatchObject({
      steps: 100_000,
      warmupEpochs: 50,
      learningRate: 1e-4,
      weightDecay: 1e-5,
      clipNorm: null,
    });
    expect(config.train.decayNormsAndBiases).toBe(true); // as PyTorch's AdamW
    const schedule = scheduleOf(config.train, 1897);
    expect(schedule).toEqual({
      steps: 100_000,
      warmupSteps: Math.ceil((50 * 1897) / config.train.batchSize),
      peak: 1e-4,
    });
    expect(learningRateAt(schedule.warmupSteps - 1, schedule)).toBeCloseTo(1e-4, 15);
  });

  it("has the paper's UNet or SwinUNETR, or MONAI's UNETR for the crop", () => {
    const sizes = { featureSize: 48, depths: [2, 2, 2, 2], numHeads: [3, 6, 12, 24], window: [7, 7, 7] };
    const swin = { name: 'swin-unetr', ...sizes, version: 1, merging: 'merging', dropout: 0.1 };
    const unetr = {
      name: 'unetr',
      imageSize: config.data.cropSize,
      featureSize: 16,
      hiddenSize: 768,
      mlpDim: 3072,
      numHeads: 12,
      dropout: 0,
    };
    const unet = { name: 'unet', features: [64, 64, 128, 256, 512, 64], pools: [2, 2, 2, 2], dropout: 0.1 };
    expect(config.network).toEqual(file.includes('swin') ? swin : file.includes('unetr') ? unetr : unet);
  });
});

const tasks = [
  ['btcv', 96, 4, 2000],
  ['msd-liver', 96, 4, 600],
  ['msd-spleen', 96, 4, 600],
  ['brats', 128, 2, 300],
] as const;
const finetuneCases = tasks.flatMap(([task, ...facts]) =>
  networkNames.map((network) => [task, network, ...facts] as const),
);

describe.each(finetuneCases)('configs/finetune/%s-%s.yaml', (task, network, side, batchSize, epochs) => {
  let config: FinetuneConfig;
  beforeAll(async () => {
    config = await loadConfig(finetuneConfig, `configs/finetune/${task}-${network}.yaml`);
  });

  it('has the crop, batch, epochs, optimiser and augmentation of the paper (4.3)', () => {
    expect(config.data.cropSize).toEqual([side, side, side]);
    expect(config.train).toMatchObject({
      batchSize,
      epochs,
      warmupEpochs: 50,
      learningRate: 1e-4,
      weightDecay: 1e-5,
    });
    expect(config.train.steps).toBeUndefined(); // steps would count before the epochs
    expect(config.train.augmentation).toEqual({
      flip: 0.2,
      rotate: 0.2,
      scaleIntensity: 0.1,
      shiftIntensity: 0.1,
    });
  });

  it('takes the network as it was pre-trained, all training cases, and its own dataset', async () => {
    expect(config.network.name).toBe(network);
    if (config.network.name === 'unetr') expect(config.network.imageSize).toEqual(config.data.cropSize);
    if (network === 'unet' || network === 'swin-unetr') {
      const pretraining = `hybridmim-${network === 'unet' ? 'unet' : 'swin'}-${task === 'brats' && network === 'unet' ? 'brats' : 'ct'}`;
      expect(config.network).toEqual(
        (await loadConfig(pretrainConfig, `configs/pretrain/${pretraining}.yaml`)).network,
      );
    }
    expect(config.data).toMatchObject({ fraction: 1, validateOn: 'validation', datasets: [task] });
  });

  it('has settings that make the network', () => {
    expect(makeNetwork(config.network, { inChannels: 1, outChannels: 3 }).name).toBe(network);
  });

  it('predicts with windows of the crop that overlap by half', () => {
    expect(config.inference).toEqual({
      window: config.data.cropSize,
      overlap: 0.5,
      blend: 'gaussian',
      windowBatch: 1,
      mirror: [],
      constantWindows: 'background',
    });
  });

  it("has the task's regions, and the layout of its release has its classes", async () => {
    const { classes, regions, labelMap } = await loadTask(task);
    expect(config.data.regions).toEqual(regions);
    const entry = (await readDatasetFile('datasets.example.json')).datasets[task]!;
    const release = { btcv, brats }[entry.layout as string];
    if (release) expect(release.scheme([])).toEqual({ classes, ...(labelMap && { labelMap }) });
    else expect(entry.layout).toBe('msd'); // which has its own dataset.json
  });
});

describe('the tasks', () => {
  it('have the 13 organs of BTCV, liver and tumour, spleen, and the three regions of BraTS', async () => {
    const btcv = await loadTask('btcv');
    expect(Object.keys(btcv.classes)).toEqual(Array.from({ length: 13 }, (_, i) => String(i + 1)));
    expect([btcv.classes[1], btcv.classes[6], btcv.classes[8], btcv.classes[13]]).toEqual([
      'spleen',
      'liver',
      'aorta',
      'left adrenal gland',
    ]);
    expect((await loadTask('msd-liver')).classes).toEqual({ 1: 'liver', 2: 'tumour' });
    expect((await loadTask('msd-spleen')).classes).toEqual({ 1: 'spleen' });
    expect(await loadTask('brats')).toMatchObject({
      labelMap: { 3: 4 },
      regions: { WT: [1, 2, 4], TC: [1, 4], ET: [4] },
    });
  });
});

/** Tables and figures of the paper, whose data a user brings. */
const published = [
  'table1-btcv',
  'table2-msd',
  'table3-brats',
  'table4-ablation',
  'table4-ablation-generic',
  'figure4-labels',
  'figure5-speed',
  'figure6-sizes',
];
const own = yaml('experiment').filter((file) => !published.includes(basename(file, '.yaml')));
const loadExperiment = (file: string): Promise<ExperimentConfig> => loadConfig(experimentConfig, file);

describe('the experiments', () => {
  it('are the tables and figures of the paper, each also at a tiny scale, and our own', () => {
    const names = (folder: string) => yaml(folder).map((file) => basename(file, '.yaml'));
    expect(names('experiment').sort()).toEqual(
      [
        ...published,
        'demo',
        'demo-hippocampus',
        'msd-hippocampus',
        'msd-hippocampus-first',
        'msd-hippocampus-fresh-seeds',
        'msd-hippocampus-region',
        'phantom-labels',
        'real-transfer',
      ].sort(),
    );
    expect(
      names('experiment-tiny')
        .filter((name) => !name.startsWith('_'))
        .sort(),
    ).toEqual([...published].sort());
  });
});

describe.each([...own, ...yaml('experiment-tiny').filter((file) => !basename(file).startsWith('_'))])(
  '%s',
  (file) => {
    const folder = temporaryFolder();

    it('has an index of datasets that reads, with the datasets that its runs name, whose networks, methods and batches go together', async () => {
      const config = await loadExperiment(file);
      const { datasets } = await readDatasetFile(
        writeJson(join(folder, `${basename(file)}.json`), config.datasets),
      );
      const splits = Object.values(datasets).flatMap(
        (entry) =>
          entry.layout === 'files' ? entry.cases.map(({ split }) => split) : ['training', 'validation'], // these are drawn
      );
      expect(splits).toContain(config.evaluate === 'test' && !config.finetune ? 'training' : config.evaluate);
      for (const cell of planCells(config, 'prepared')) {
        for (const name of cell.settings.data.datasets ?? []) expect(Object.keys(datasets)).toContain(name);
        if (cell.kind === 'pretrain') expectToFit(cell.settings);
      }
    });
  },
);

describe.each(published)('configs/experiment/%s.yaml', (name) => {
  const load = async () => planCells(await loadExperiment(`configs/experiment/${name}.yaml`), 'prepared');

  it('has the protocol of the paper (4.3) in every run', async () => {
    for (const { kind, settings } of await load()) {
      const brats = settings.data.datasets!.includes('brats') || name === 'figure6-sizes'; // regions of 128
      const side = brats ? 128 : 96;
      expect(settings.data.cropSize).toEqual([side, side, side]);
      if (settings.network.name === 'unet')
        expect(settings.network).toMatchObject({ features: [64, 64, 128, 256, 512, 64], dropout: 0.1 });
      else if (settings.network.name === 'swin-unetr')
        expect(settings.network).toMatchObject({ featureSize: 48, depths: [2, 2, 2, 2], dropout: 0.1 });
      else if (settings.network.name === 'unetr')
        expect(settings.network).toMatchObject({ imageSize: [side, side, side], hiddenSize: 768 });
      else expect(settings.network).toMatchObject({ initFilters: 8, blocksDown: [1, 2, 2, 4] });
      expect(settings.train).toMatchObject({
        batchSize: brats ? 2 : 4,
        learningRate: 1e-4,
        weightDecay: 1e-5,
      });
      if (name === 'figure5-speed') continue; // fifty steps tell the time of one
      if (kind === 'pretrain') expect(settings.train).toMatchObject({ steps: 100_000, warmupEpochs: 50 });
      else
        expect(settings.train).toMatchObject({
          epochs: { 'table1-btcv': 2000, 'table2-msd': 600 }[name] ?? 300,
          warmupEpochs: 50,
        });
    }
  });

  it('has methods that fit its crops', async () => {
    for (const cell of await load()) if (cell.kind === 'pretrain') expectToFit(cell.settings);
  });

  it('has the same rows at the tiny scale', async () => {
    const rows = (cells: Awaited<ReturnType<typeof load>>) => [
      ...new Set(
        cells.map((cell) => cell.id.replace(/-seed-\d+$|-labels-\d+/g, '').replace(/-labels-\d+/, '')),
      ),
    ];
    const tiny = planCells(await loadExperiment(`configs/experiment-tiny/${name}.yaml`), 'prepared');
    expect(rows(tiny)).toEqual(rows(await load()));
  });
});

describe.each([1, 2, 3, 4] as const)('the experiment of table %i', (number) => {
  const name = published.find((found) => found.startsWith(`table${number}`))!;

  it('has a row for each of the paper, named as there', async () => {
    const config = await loadExperiment(`configs/experiment/${name}.yaml`);
    const rows = planCells(config, 'prepared').flatMap((cell) =>
      cell.kind === 'finetune' && cell.seed === 0 ? [cell] : [],
    );
    const labels = rows.map(({ row, backbone }) => (number === 4 ? `${backbone} ${row}` : row)); // twice in Table 2
    const table = paperTables([]).find((found) => found.number === number)!;
    expect(config.paperTable).toBe(number);
    expect([...new Set(labels)]).toEqual(table.rows.map((row) => row.labels.join(' ')));
  });
});

describe('the figure of sizes', () => {
  it('has heads of n + 1 and n outputs, n the patches of a sub-volume, for each of the sizes of figure 6', async () => {
    const cells = planCells(await loadExperiment('configs/experiment/figure6-sizes.yaml'), 'prepared');
    const heads = Object.fromEntries(
      cells.flatMap((cell) => {
        if (cell.kind !== 'pretrain' || cell.seed !== 0) return [];
        const { heads: found } = methodOf(cell.settings);
        const outputs = (head: string) =>
          found.find(({ name }) => name === `pretext.${head}.weight`)!.shape[1];
        return [[cell.title.split(' ')[1], [outputs('number'), outputs('location')]]];
      }),
    );
    expect(heads).toEqual({
      '64-32-128': [9, 8],
      '64-16-128': [65, 64],
      '32-16-128': [9, 8],
      '32-8-128': [65, 64],
      '32-16-96': [9, 8],
      '32-16-64': [9, 8],
      '32-16-32': [9, 8],
    });
  });
});

/** The method of pre-training settings on the network and batch that they name; throws where these do not go together. */
function methodOf({ network: wanted, method, data, train }: PretrainConfig) {
  const network = makeNetwork(wanted, { inChannels: 1, outChannels: 1 });
  return pretextMethod(
    network,
    { size: train.batchSize, crop: spatialSize(data.cropSize), scaledTargets: false },
    method,
  );
}

const expectToFit = (settings: PretrainConfig): void => expect(() => methodOf(settings)).not.toThrow();

describe('datasets.example.json', () => {
  it('has the split of the paper, and the grids and intensities of each task', async () => {
    const { seed, validationShare, datasets } = await readDatasetFile('datasets.example.json');
    expect([seed, validationShare]).toEqual([0, 0.2]);
    for (const [name, modality] of Object.entries({
      btcv: 'ct',
      'msd-liver': 'ct',
      'msd-spleen': 'ct',
      brats: 'mr',
    } as const)) {
      const preprocessing = preprocessingOf(modality, datasets[name]);
      if (modality === 'mr')
        expect(preprocessing).toMatchObject({ spacing: [1, 1, 1], intensity: 'z-score' });
      else
        expect(preprocessing).toMatchObject({
          spacing: [1.5, 1.5, 2],
          intensity: 'ct-window',
          windowHu: [-175, 250],
          foregroundThreshold: -175,
        });
    }
    expect(brats.patterns.channels).toHaveLength(4);
  });
});
