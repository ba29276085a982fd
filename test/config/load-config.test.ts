import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig, nearestName, pretrainConfig } from '../../src/config/index.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
const written = (text: string): string => {
  const file = join(folder, 'run.yaml');
  writeFileSync(file, text);
  return file;
};
const minimal =
  'data: {prepared: p, cropSize: [32, 32, 32]}\nmethod: {region: 32}\ntrain: {batchSize: 2, steps: 5}\n';

describe('loading a configuration', () => {
  it('fills in the defaults of the paper', async () => {
    const config = await loadConfig(pretrainConfig, written(minimal));
    expect(config.network).toEqual({
      name: 'unet',
      features: [64, 64, 128, 256, 512, 64],
      pools: [2, 2, 2, 2],
      dropout: 0.1,
    });
    expect(config.method).toMatchObject({ name: 'hybridmim', weights: { contrast: 0.1 } });
    expect(config).toMatchObject({
      seed: 0,
      precision: 'float32',
      train: { engine: 'graph', clipNorm: null },
    });
  });

  it('applies overrides, also to keys that the file lacks', async () => {
    const config = await loadConfig(pretrainConfig, written(minimal), [
      'train.steps=7',
      'method.weights.contrast=0',
      'data.cropSize=[64,64,64]',
    ]);
    expect(config.train.steps).toBe(7);
    expect(config.method).toMatchObject({ weights: { contrast: 0, number: 0.1 } });
    expect(config.data.cropSize).toEqual([64, 64, 64]);
  });

  it('lays a file upon those that it extends, group by group, later ones upon earlier ones', async () => {
    writeFileSync(
      join(folder, 'base.yaml'),
      `${minimal}seed: 3\nnetwork: {dropout: 0.2, features: [8, 8, 8, 8, 8, 8]}\n`,
    );
    writeFileSync(join(folder, 'short.yaml'), 'train: {steps: 1}\nnetwork: {dropout: 0.3}\n');
    const config = await loadConfig(
      pretrainConfig,
      written('extends: [base.yaml, short.yaml]\nseed: 4\nnetwork: {features: [4, 4, 4, 4, 4, 4]}\n'),
    );
    expect(config).toMatchObject({
      seed: 4,
      train: { batchSize: 2, steps: 1 },
      network: { dropout: 0.3, features: [4, 4, 4, 4, 4, 4] },
    });
  });

  it('refuses a file that extends itself, one that is not there, and a name that is none', async () => {
    writeFileSync(join(folder, 'round.yaml'), 'extends: run.yaml\n');
    await expect(loadConfig(pretrainConfig, written('extends: round.yaml\n'))).rejects.toMatchObject({
      exitCode: 2,
      message: /run.yaml extends itself, by way of .*round.yaml/,
    });
    await expect(loadConfig(pretrainConfig, written('extends: nowhere.yaml\n'))).rejects.toMatchObject({
      exitCode: 3,
      message: /nowhere.yaml cannot be read/,
    });
    await expect(loadConfig(pretrainConfig, written('extends: {a: 1}\n'))).rejects.toThrow(
      /"extends" is {"a":1}, but must be a file name/,
    );
  });

  it.each([
    [
      'an unknown key, naming the nearest',
      `${minimal}seeed: 1\n`,
      [],
      /run.yaml: there is no key "seeed"; did you mean "seed"\?/,
    ],
    [
      'an unknown key in a group',
      minimal,
      ['train.batch=2'],
      /there is no key "train.batch"; did you mean "train.batchSize"\?/,
    ],
    ['a key like no other, without a guess', minimal, ['xyzxyzxyz=2'], /there is no key "xyzxyzxyz"$/],
    [
      'a value of the wrong type',
      minimal,
      ['train.batchSize=two'],
      /"train.batchSize" is "two", but must be a number$/,
    ],
    [
      'a value out of range',
      minimal,
      ['method.maskRatio=1.5'],
      /"method.maskRatio" is 1.5, but must be a number below 1$/,
    ],
    [
      'a choice that there is not',
      minimal,
      ['method.reconstruction=l3'],
      /"method.reconstruction" is "l3", but must be "l2" or "l1"$/,
    ],
    [
      "another method's key, naming the nearest",
      minimal,
      ['method.name=simmim', 'method.maskRate=0.5'],
      /there is no key "method.maskRate"; did you mean "method.maskRatio"\?|there is no key "method.region"/,
    ],
    [
      'a method that there is not',
      minimal,
      ['method.name=mimm'],
      /"method.name" is "mimm", but must be "hybridmim" or "models-genesis" or "transvw" or "simmim"/,
    ],
    [
      'a missing key',
      'data: {prepared: p, cropSize: [32, 32, 32]}\nmethod: {region: 32}\ntrain: {steps: 5}\n',
      [],
      /"train.batchSize" is missing/,
    ],
    [
      'no length',
      minimal.replace(', steps: 5', ''),
      [],
      /the length of the run is missing: give train.steps or train.epochs/,
    ],
    ['an override without a value', minimal, ['train.steps'], /--set train.steps has no "="/],
    ['broken YAML', 'data: [1, 2\n', [], /run.yaml line \d+ is not valid YAML/],
    ['an empty file', '', [], /holds nothing/],
    [
      'bytes',
      'name: !!binary "AA=="',
      [],
      /not valid YAML: the tag tag:yaml.org,2002:binary makes what is no/,
    ],
    ['a set', 'name: !!set {a}', [], /not valid YAML: the tag tag:yaml.org,2002:set makes/],
    ['a tag of somebody', 'name: !mine 3', [], /not valid YAML: .*Unresolved tag: !mine/],
    ['a date', minimal, ['seed=!!timestamp 2026-01-01'], /the value is not valid YAML: .*timestamp/],
  ] as const)('refuses %s in one sentence, exit code 2', async (_, text, overrides, message) => {
    const error = await loadConfig(pretrainConfig, written(text), [...overrides]).then(
      () => undefined,
      (thrown: Error & { exitCode?: number }) => thrown,
    );
    expect(error?.message).toMatch(message);
    expect(error?.exitCode).toBe(2);
    expect(error?.message).not.toContain('\n');
  });

  it.each([
    ['data.cropSize=[96,96]', 'a list whose length is at least 3'],
    ['data.cropSize=96', 'a list [...]'],
    ['data.cropSize=[96,96,96,96]', 'a list whose length is at most 3'],
    ['data.cropSize=[96,96,a]', 'a number'],
    ['data.datasets=a', 'a list [...]'],
    ['train.batchSize=1.5', 'a whole number'],
    ['train.batchSize=0', 'a number at least 1'],
    ['train.threads=256', 'a number at most 255'],
    ['train.learningRate=-1', 'a number above 0'],
    ['train.decayNormsAndBiases=yes', 'true or false'],
    ['train.clipNorm=zero', 'a number'],
    ['train.engine=fast', '"graph" or "eager"'],
    ['data=3', 'an object {...}'],
    ['network.name=vnet', '"unet" or "seg-res-net" or "unetr" or "swin-unetr"'],
  ])('says in its own words what is wrong with %s', async (override, expected) => {
    const thrown = await loadConfig(pretrainConfig, 'hybridmim-unet-ct', [override]).catch((error) => error);
    const [key] = override.split('=');
    expect(thrown.message).toMatch(/^hybridmim-unet-ct: "/);
    expect(thrown.message.endsWith(`, but must be ${expected}`)).toBe(true);
    expect(thrown.message).toContain(`"${key}`);
    expect(thrown.message).not.toMatch(/Invalid|Too (?:small|big)|received/);
  });

  it('says which file is missing, exit code 3', async () => {
    await expect(loadConfig(pretrainConfig, join(folder, 'none.yaml'))).rejects.toMatchObject({
      exitCode: 3,
      message: /none.yaml cannot be read/,
    });
  });

  it('suggests no name that shares too little', () => {
    expect(nearestName('step', ['steps', 'epochs'])).toBe('steps');
    expect(nearestName('qqqq', ['steps', 'epochs'])).toBeUndefined();
  });
});
