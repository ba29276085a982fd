import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  configFile,
  experimentConfig,
  loadConfig,
  pretrainConfig,
  shippedConfigs,
} from '../../src/config/index.js';
import { temporaryFolder } from '../temporary-folder.js';

const elsewhere = temporaryFolder();
const shippedFile = async (name: string): Promise<string> => relative('.', await configFile(name, elsewhere));

describe('a configuration by the name of a shipped one', () => {
  it('is found by its path in the clone, its folder and name, or its name, where the current folder has no such file', async () => {
    for (const name of [
      'configs/pretrain/hybridmim-unet-ct.yaml',
      './configs/pretrain/hybridmim-unet-ct.yaml',
      'pretrain/hybridmim-unet-ct',
    ])
      expect(await shippedFile(name)).toBe('configs/pretrain/hybridmim-unet-ct.yaml');
    expect(await shippedFile('hybridmim-unet-ct')).toBe('configs/pretrain/hybridmim-unet-ct.yaml');
    expect(await shippedFile('hybridmim-unet-ct.yaml')).toBe('configs/pretrain/hybridmim-unet-ct.yaml');
  });

  it('names every shipped configuration, and neither tasks nor parts of others', async () => {
    const folders = readdirSync('configs').filter((folder) => folder !== 'tasks');
    const files = folders.flatMap((folder) =>
      readdirSync(join('configs', folder)).map((file) => `${folder}/${basename(file, '.yaml')}`),
    );
    expect(await shippedConfigs()).toEqual(files.filter((name) => !name.includes('/_')).sort());
    for (const name of await shippedConfigs()) expect(await shippedFile(name)).toBe(`configs/${name}.yaml`);
  });

  it('is a file of the current folder first', async () => {
    const own = temporaryFolder();
    mkdirSync(join(own, 'configs/pretrain'), { recursive: true });
    const file = join(own, 'configs/pretrain/hybridmim-unet-ct.yaml');
    writeFileSync(file, '');
    expect(await configFile('configs/pretrain/hybridmim-unet-ct.yaml', own)).toBe(file);
    expect(relative('.', await configFile('pretrain/hybridmim-unet-ct', own))).toBe(
      'configs/pretrain/hybridmim-unet-ct.yaml',
    ); // a folder is no file
  });

  it('loads with its overrides, and what it extends lies beside it', async () => {
    expect(await loadConfig(pretrainConfig, 'hybridmim-unet-ct', ['train.steps=3'])).toMatchObject({
      train: { batchSize: 4, steps: 3 },
    });
    const tiny = await loadConfig(experimentConfig, 'experiment-tiny/table1-btcv');
    expect(tiny).toMatchObject({ name: 'tiny-table1-btcv', paperTable: 1 }); // the table is said in ../experiment/table1-btcv.yaml
  });

  it('can be extended by a file of the user', async () => {
    const file = join(elsewhere, 'mine.yaml');
    writeFileSync(file, 'extends: pretrain/hybridmim-unet-ct\nseed: 7\n');
    expect(await loadConfig(pretrainConfig, file)).toMatchObject({
      seed: 7,
      train: { batchSize: 4, steps: 100_000 },
    });
  });

  it.each([
    [
      'hybridmim-unet-tc',
      /hybridmim-unet-tc cannot be read, and none that is shipped has this name: did you mean pretrain\/hybridmim-unet-ct/,
    ],
    ['pretrain/hybridmim-swn-ct', /did you mean pretrain\/hybridmim-swin-ct/],
    [
      'pretrain/hybrid',
      /did you mean pretrain\/hybridmim-swin-ct, pretrain\/hybridmim-unet-brats or pretrain\/hybridmim-unet-ct\?$/,
    ],
    ['runs/qqqqqqqqqqqqqqqqqqqq.yaml', /check the path; those that are shipped stand in .*configs$/],
    ['tasks/btcv', /none that is shipped has this name/],
  ])('is refused in one sentence with the nearest names: %s', async (name, sentence) => {
    await expect(configFile(name, elsewhere)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(sentence),
    });
  });

  it('is refused where two have one short name', async () => {
    await expect(configFile('table1-btcv', elsewhere)).rejects.toMatchObject({
      exitCode: 2,
      message:
        'table1-btcv is the name of several shipped configurations: write experiment-tiny/table1-btcv or experiment/table1-btcv',
    });
  });

  it('is no absolute path', async () => {
    await expect(configFile('/configs/pretrain/hybridmim-unet-ct.yaml')).rejects.toMatchObject({
      exitCode: 3,
    });
  });
});
