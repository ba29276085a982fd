import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { finetuneConfig, loadConfig, pretrainConfig } from '../../src/config/index.js';
import { openRunFolder, readRunConfig } from '../../src/training/run-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'run-folder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = {
  seed: 1,
  data: { prepared: 'prepared', cropSize: [32, 32, 32], workers: 1, prefetch: 3, datasets: undefined },
  train: { steps: 5, clipNorm: null, checkpointEvery: 500 },
  init: null,
};
/** Opens the folder and lets it go again. */
const opened = async (name: string, settings: object, resume: boolean, mayChange = false) => {
  const run = await openRunFolder(join(folder, name), settings, resume, mayChange);
  await run.keepChanges();
  await run.release();
  return run;
};

describe('a run folder', () => {
  it('keeps the settings as they were resolved', async () => {
    expect(await opened('kept', config, false)).toMatchObject({
      path: join(folder, 'kept'),
      state: undefined,
    });
    const { data, ...rest } = config;
    expect(await readRunConfig(join(folder, 'kept'))).toEqual({
      ...rest,
      data: { prepared: 'prepared', cropSize: [32, 32, 32], workers: 1, prefetch: 3 },
    });
    expect(existsSync(join(folder, 'kept', 'checkpoints'))).toBe(true);
  });

  it('is resumed with the same settings, and with others that change no bit of what comes out', async () => {
    await opened('resumed', config, false);
    const before = readFileSync(join(folder, 'resumed', 'config.yaml'), 'utf8');
    const others = {
      ...config,
      data: { ...config.data, prepared: '/elsewhere', workers: 8, prefetch: 0 },
      train: { ...config.train, checkpointEvery: 7 },
    };
    await opened('resumed', others, true);
    expect(readFileSync(join(folder, 'resumed', 'config.yaml'), 'utf8')).toBe(before);
  });

  it.each([
    [
      'another value',
      { ...config, seed: 2 },
      /config.yaml says seed 1, but 2 is asked for: resume with the same settings, or begin another run with --out/,
    ],
    [
      'another list',
      { ...config, data: { ...config.data, cropSize: [32, 32, 16] } },
      /says data.cropSize \[32,32,32\], but \[32,32,16\] is asked for/,
    ],
    [
      'one more',
      { ...config, data: { ...config.data, datasets: ['ct'] } },
      /says data.datasets undefined, but \["ct"\] is asked for/,
    ],
    [
      'one less',
      { seed: 1, data: config.data, train: config.train },
      /says init null, but undefined is asked for/,
    ],
    [
      'a value for none',
      { ...config, train: { ...config.train, clipNorm: 1 } },
      /says train.clipNorm null, but 1 is asked for/,
    ],
  ])('is not resumed with %s', async (name, settings, message) => {
    await opened(name, config, false);
    await expect(opened(name, settings, true)).rejects.toMatchObject({ exitCode: 2, message });
    await opened(name, config, true); // and is not left locked
  });

  it('is resumed with another rate or length where that is allowed, which is written down and said', async () => {
    await opened('changed', config, false);
    const now = {
      ...config,
      data: { ...config.data, workers: 5 },
      train: { ...config.train, steps: 9, learningRate: 0.01, clipNorm: 2 },
    };
    const { notes } = await opened('changed', now, true, true);
    expect(notes).toEqual([
      'train.steps is 9 from here on, and was 5',
      'train.clipNorm is 2 from here on, and was null',
      'train.learningRate is 0.01 from here on, and was not set',
    ]);
    const written = readFileSync(join(folder, 'changed', 'changes.jsonl'), 'utf8');
    expect(JSON.parse(written)).toEqual({
      schema: 1,
      afterStep: 0,
      settings: [
        { key: 'train.steps', before: 5, now: 9 },
        { key: 'train.clipNorm', before: null, now: 2 },
        { key: 'train.learningRate', before: null, now: 0.01 },
      ],
    });
    const stored = await readRunConfig(join(folder, 'changed'));
    expect(stored).toMatchObject({ data: { workers: 1 }, train: { steps: 9, learningRate: 0.01 } });
    expect((await opened('changed', now, true, true)).notes).toEqual([]); // once
    expect(readFileSync(join(folder, 'changed', 'changes.jsonl'), 'utf8')).toBe(written);
  });

  it.each([
    ['another seed', { ...config, seed: 2 }],
    ['another crop', { ...config, data: { ...config.data, cropSize: [32, 32, 16] } }],
    ['other weights to start from', { ...config, init: 'other' }],
    ['a key that only begins alike', { ...config, train: { ...config.train, stepsBefore: 3 } }],
  ])('is not resumed with %s, whatever else is allowed', async (name, settings) => {
    await opened(name, config, false);
    const changed = { ...settings, train: { ...settings.train, steps: 9 } };
    await expect(opened(name, changed, true, true)).rejects.toMatchObject({ exitCode: 2 });
    expect(await readRunConfig(join(folder, name))).toMatchObject({ train: { steps: 5 } });
    expect(existsSync(join(folder, name, 'changes.jsonl'))).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['no YAML', 'a: [1'],
    ['a list', '- 1'],
  ])('is refused in one sentence with %s in config.yaml', async (name, text) => {
    await opened(`broken ${name}`, config, false);
    writeFileSync(join(folder, `broken ${name}`, 'config.yaml'), text);
    await expect(opened(`broken ${name}`, config, true)).rejects.toMatchObject({
      exitCode: 3,
      message: /config.yaml (holds no settings of a run|is not valid YAML \(.*\)): restore it$/,
    });
  });

  it('is begun by one of two processes that find it empty at the same time; the other is refused', async () => {
    const both = [opened('race', { seed: 1 }, false), opened('race', { seed: 2 }, false)];
    const results = await Promise.allSettled(both);
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    expect(await readRunConfig(join(folder, 'race'))).toEqual({ seed: won + 1 });
    expect(results[1 - won]).toMatchObject({
      status: 'rejected',
      reason: { exitCode: 2, message: expect.stringMatching(/already holds a run: add --resume/) },
    });
  });

  it('is no folder of a run without settings, and says where no folder can be made', async () => {
    await expect(readRunConfig(join(folder, 'nothing'))).rejects.toMatchObject({
      exitCode: 3,
      message: /nothing is no run folder: .*config.yaml cannot be read/,
    });
    writeFileSync(join(folder, 'file'), '');
    await expect(opened('file/run', config, false)).rejects.toMatchObject({
      exitCode: 1,
      message: /cannot be made \(ENOTDIR\): choose another --out/,
    });
  });
});

/** The keys of a run's settings in version 0.2.0; those of pre-training are HybridMIM's with a UNet. */
const common =
  'data.cropSize data.prefetch data.prepared data.workers network.dropout network.features network.name precision seed ' +
  'train.batchSize train.checkpointEvery train.clipNorm train.decayNormsAndBiases train.engine train.learningRate train.steps ' +
  'train.threads train.validateEvery train.warmupSteps train.weightDecay';
const ofPretraining =
  'data.mode data.split method.consistency method.contrastDim method.maskRatio method.name method.patch ' +
  'method.reconstruction method.region method.subVolume method.temperature method.weights.consistency ' +
  'method.weights.contrast method.weights.location method.weights.number method.weights.reconstruction train.validationBatches';
const ofFineTuning =
  'data.foregroundRatio data.fraction data.validateOn inference.blend inference.mirror inference.overlap ' +
  'inference.windowBatch train.augmentation.flip train.augmentation.rotate train.augmentation.scaleIntensity ' +
  'train.augmentation.shiftIntensity';

/** The settings with those keys alone. */
const only = (settings: object, keys: ReadonlySet<string>, prefix = ''): object =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]: [string, unknown]) => {
      const path = `${prefix}${key}`;
      if (keys.has(path)) return [[key, value]];
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
      return [[key, only(value, keys, `${path}.`)]];
    }),
  );

describe('a run of version 0.2.0', () => {
  const prepared = 'data.prepared=prepared';
  // What has another default since is set as the run had it.
  const asThen = ['subVolumeFeatures=mean', 'contrastFeatures=mean', 'mask=zero'].map((it) => `method.${it}`);
  it.each([
    [
      'a pre-training',
      () => loadConfig(pretrainConfig, 'configs/smoke/pretrain.yaml', [prepared, ...asThen]),
      ofPretraining,
    ],
    [
      'a fine-tuning',
      () =>
        loadConfig(finetuneConfig, 'configs/smoke/finetune.yaml', [
          prepared,
          'inference.constantWindows=run',
        ]),
      ofFineTuning,
    ],
  ] as const)('%s, which knows none of the settings that came later, goes on', async (name, load, own) => {
    const settings = await load();
    await opened(name, settings, false);
    const then = only(settings, new Set(`${common} ${own}`.split(' ')));
    expect(then).not.toEqual(settings);
    writeFileSync(join(folder, name, 'config.yaml'), stringify(then));
    await opened(name, settings, true);
  });
});
