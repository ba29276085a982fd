import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { preparedHashes } from '../dataset/prepared-hashes.js';
import { runCli } from './run-cli.js';

const folder = temporaryFolder();
const names = ['a', 'b', 'c', 'd', 'e'];
const indexOf = (cases: readonly string[]) => datasetIndex(cases.map((name) => labelledCase(name)));
const datasetsFile = join(folder, 'datasets.json');
const prepare = (out: string, ...flags: string[]) =>
  runCli(['prepare', '--datasets', datasetsFile, '--out', join(folder, out), ...flags]);
const textOf = (...path: string[]) => readFileSync(join(folder, ...path), 'utf8');
const splitsOf = (out: string): Record<string, string> => {
  const { cases } = JSON.parse(textOf(out, 'index.json')) as { cases: { name: string; split: string }[] };
  return Object.fromEntries(cases.map(({ name, split }) => [name, split]));
};

beforeAll(async () => {
  for (const [i, name] of names.entries()) await writeCase(folder, name, [34 + i, 33, 32]);
  writeJson(datasetsFile, indexOf(names));
});

describe('prepare in shards', () => {
  it('gives the folder of one run when all are merged, and one sentence while one is missing', async () => {
    expect(await prepare('whole')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('5 prepared, 0 unchanged, 0 skipped'),
    });
    const first = await prepare('shards', '--shard', '1/2');
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^3 prepared, 0 unchanged, 0 skipped: shard 1\/2; .* --merge /),
    });

    const early = await prepare('shards', '--merge');
    expect(early).toMatchObject({ code: 1, stdout: '' });
    expect(early.stderr.trim()).toBe(
      `hybridmim: ${join(folder, 'shards')} lacks 2 of 5 cases, the first is ct/b: run every shard to its end with the same dataset index, then merge again`,
    );
    expect(readdirSync(join(folder, 'shards'))).not.toContain('index.json');

    const second = await prepare('shards', '--shard', '2/2', '--json');
    expect(JSON.parse(second.stdout)).toEqual({
      schema: 1,
      shard: '2/2',
      prepared: 2,
      unchanged: 0,
      skipped: [],
    });
    const merged = await prepare('shards', '--merge', '--json');
    expect(merged.code).toBe(0);
    expect(JSON.parse(merged.stdout)).toMatchObject({
      schema: 1,
      prepared: 0,
      unchanged: 5,
      skipped: [],
      notes: [],
    });
    expect(preparedHashes(join(folder, 'shards'))).toEqual(preparedHashes(join(folder, 'whole')));
    expect(textOf('shards', 'index.json')).toBe(textOf('whole', 'index.json'));
  });

  it.each([
    [
      ['--shard', '3/2'],
      /^hybridmim: --shard is "3\/2", but must be a part and how many there are, such as 2\/16$/,
    ],
    [
      ['--shard', '1/2', '--merge'],
      /^hybridmim: --merge and --shard exclude each other: merge when every shard is done$/,
    ],
    [['--merge', '--check'], /^hybridmim: --check looks at everything: leave --shard and --merge out$/],
  ])('refuses %s', async (flags, message) => {
    const { code, stdout, stderr } = await prepare('refused', ...flags);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trim()).toMatch(message);
  });
});

describe('prepare with splits of the user', () => {
  it('takes them from --split-file, and draws no more for validation than they name', async () => {
    const splits = writeJson(join(folder, 'splits.json'), { ct: { validation: ['b'], test: ['e'] } });
    expect((await prepare('split', '--split-file', splits)).code).toBe(0);
    expect(splitsOf('split')).toEqual({
      a: 'training',
      b: 'validation',
      c: 'training',
      d: 'training',
      e: 'test',
    });
    const wrong = await prepare(
      'split',
      '--split-file',
      writeJson(join(folder, 'wrong.json'), { ct: { validation: ['z'] } }),
    );
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr.trim()).toBe(
      `hybridmim: ${datasetsFile}: datasets.ct.splits.validation names "z", which is no case of the dataset`,
    );
  });

  it('leaves folds to finetune --fold, in which each case validates once', async () => {
    const trained = await Promise.all(
      [1, 2].map(async (fold) => {
        const out = join(folder, `fold${fold}`);
        const settings = [
          `data.prepared=${join(folder, 'whole')}`,
          'train.steps=1',
          'train.warmupSteps=0',
          'train.validateEvery=0',
        ];
        const flags = [
          '--fold',
          `${fold}/2`,
          '--out',
          out,
          ...settings.flatMap((setting) => ['--set', setting]),
        ];
        expect(await runCli(['finetune', '--config', 'configs/smoke/finetune.yaml', ...flags])).toMatchObject(
          { code: 0 },
        );
        return (JSON.parse(textOf(`fold${fold}`, 'checkpoints', 'state.json')) as { cases: string[] }).cases;
      }),
    );
    expect(trained.map(({ length }) => length).sort()).toEqual([2, 3]);
    expect(trained.flat().sort()).toEqual(names.map((name) => `ct/${name}`));
    const wrong = await runCli(['finetune', '--config', 'configs/smoke/finetune.yaml', '--fold', '3/2']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr.trim()).toBe(
      'hybridmim: --fold is "3/2", but must be a fold and how many there are, such as 2/5',
    );
  });
});

describe('prepare with a case less in the index', () => {
  it('names the prepared case that is left over, keeps its files and lists it no more', async () => {
    writeJson(datasetsFile, indexOf(names.slice(1)));
    const { code, stdout } = await prepare('whole');
    expect(code).toBe(0);
    expect(stdout).toContain(
      `note ${datasetsFile} lists 1 prepared case of ${join(folder, 'whole')} no more: ct/a; no later command reads the files`,
    );
    expect(Object.keys(splitsOf('whole'))).toEqual(['b', 'c', 'd', 'e']);
    expect(readdirSync(join(folder, 'whole', 'ct'))).toContain('a.image.hmv');
    for (const file of ['a.case.json', 'a.image.hmv', 'a.label.hmv'])
      rmSync(join(folder, 'whole', 'ct', file));
    expect((await prepare('whole')).stdout).not.toContain('no more');
  });
});
