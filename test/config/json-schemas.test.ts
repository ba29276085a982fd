import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { finetuneConfig, loadConfig, pretrainConfig } from '../../src/config/index.js';

const section = z.record(z.string(), z.unknown());
const record = (value: unknown): Record<string, unknown> => section.parse(value);
const readJson = (file: string): Record<string, unknown> => record(JSON.parse(readFileSync(file, 'utf8')));

const kinds: Readonly<Record<string, string>> = {
  pretrain: 'pretrain',
  finetune: 'finetune',
  experiment: 'experiment',
  'experiment-tiny': 'experiment',
  tasks: 'task',
};
const files = Object.keys({ ...kinds, smoke: '' }).flatMap((folder) =>
  readdirSync(join('configs', folder))
    .filter((name) => !name.startsWith('_')) // parts of experiments, which name no base of their own
    .map((name) => join('configs', folder, name)),
);
const kindOf = (file: string) => kinds[basename(dirname(file))] ?? basename(file, '.yaml');

beforeAll(() => {
  execFileSync(process.execPath, ['scripts/write-schemas.mjs']);
});

const read = new Map<string, ValidateFunction>();

/** What Ajv finds wrong with a content by the JSON Schema of a kind, as it lies in dist; empty: nothing. */
function errorsOf(kind: string, content: unknown): string[] {
  const valid =
    read.get(kind) ??
    new Ajv({ allErrors: true, strict: false }).compile(readJson(join('dist', 'schema', `${kind}.json`)));
  read.set(kind, valid);
  valid(content);
  return (valid.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

describe.each(files)('%s', (file) => {
  const kind = kindOf(file);
  const text = readFileSync(file, 'utf8');

  it('names its JSON Schema for editors in its first line', () => {
    const named = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? '';
    expect(resolve(dirname(file), named)).toBe(resolve('dist', 'schema', `${kind}.json`));
  });

  it('is right by it as it stands, and whole once it lies on what it extends', async () => {
    expect(errorsOf(kind, parse(text))).toEqual([]);
    const whole = await loadConfig(section, file);
    expect(whole).not.toHaveProperty('extends');
    expect(errorsOf(kind, whole)).toEqual([]);
  });

  it('is wrong by it with a key that does not exist, in the file and in each of its sections', async () => {
    const whole = await loadConfig(section, file);
    expect(errorsOf(kind, { ...whole, nonsense: 1 })).not.toEqual([]);
    expect(errorsOf(kind, { ...record(parse(text)), nonsense: 1 })).not.toEqual([]);
    const sections =
      kind === 'pretrain' || kind === 'finetune' ? ['data', 'network', 'method', 'train', 'inference'] : [];
    for (const name of sections.filter((name) => name in whole)) {
      const wrong = { ...whole, [name]: { ...record(whole[name]), nonsense: 1 } };
      expect(errorsOf(kind, wrong), name).not.toEqual([]);
    }
  });
});

describe('the JSON Schemas and the program', () => {
  const changes: readonly (readonly [what: string, section: string, key: string, value: unknown])[] = [
    ['a missing key', 'data', 'prepared', undefined],
    ['a crop of two sides', 'data', 'cropSize', [32, 32]],
    ['a side that is no whole number', 'data', 'cropSize', [32, 32, 32.5]],
    ['a batch of none', 'train', 'batchSize', 0],
    ['a number as text', 'train', 'learningRate', 'fast'],
    ['a network that does not exist', 'network', 'name', 'resnet'],
    ["another network's key", 'network', 'depths', [1, 1, 1, 1]],
    ['an engine that does not exist', 'train', 'engine', 'jit'],
  ];

  it.each(changes)('both refuse %s', async (_, name, key, value) => {
    for (const [kind, schema] of Object.entries({ pretrain: pretrainConfig, finetune: finetuneConfig })) {
      const config = await loadConfig(section, `configs/smoke/${kind}.yaml`);
      expect([schema.safeParse(config).success, errorsOf(kind, config)]).toEqual([true, []]);
      const { [key]: _, ...others } = record(config[name]);
      const changed = { ...config, [name]: value === undefined ? others : { ...others, [key]: value } };
      expect([schema.safeParse(changed).success, errorsOf(kind, changed).length > 0]).toEqual([false, true]);
    }
  });

  it('let a file that extends another leave out what that one has, but no other key stand in it', () => {
    expect(
      errorsOf('pretrain', { extends: 'base.yaml', method: { maskRatio: 0.5 }, train: { steps: 10 } }),
    ).toEqual([]);
    expect(errorsOf('pretrain', { method: { maskRatio: 0.5 }, train: { steps: 10 } })).not.toEqual([]);
    expect(errorsOf('pretrain', { extends: 'base.yaml', train: { step: 10 } })).not.toEqual([]);
    expect(errorsOf('pretrain', { extends: 3 })).not.toEqual([]);
  });

  it('know the dataset index, the presets and the settings of a prediction', () => {
    const index = readJson('datasets.example.json');
    expect(index.$schema).toBe('./dist/schema/datasets.json');
    expect(errorsOf('datasets', index)).toEqual([]);
    expect(errorsOf('datasets', { ...index, seeds: 1 })).not.toEqual([]);
    expect(
      errorsOf('preset', { intensity: 'ct-window', windowHu: [-175, 250], network: { dropout: 0 } }),
    ).toEqual([]);
    expect(errorsOf('preset', { window: [-175, 250] })).not.toEqual([]);
    expect(
      errorsOf('predict', { network: { features: [8, 8, 8, 8, 8, 8] }, inference: { overlap: 0.25 } }),
    ).toEqual([]);
    expect(errorsOf('predict', { inference: { overlap: 1 } })).not.toEqual([]);
  });
});
