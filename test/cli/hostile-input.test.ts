import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings, predictConfig } from '../../src/config/index.js';
import { temporaryFolder, writeCase } from '../dataset/generated-data.js';
import { runCli } from './run-cli.js';

const folder = temporaryFolder();
beforeAll(() => writeCase(folder, 'a', [16, 16, 16]));

/** One sentence on standard error, with this exit code, that is no unexpected failure. */
async function sentenceOf(args: readonly string[], code: number): Promise<string> {
  const { stderr, stdout, code: found } = await runCli(args);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toMatch(/unexpected failure/);
  expect(found).toBe(code);
  return stderr;
}

const pretrain = (...args: string[]) => [
  'pretrain',
  '--config',
  'configs/smoke/pretrain.yaml',
  '--out',
  join(folder, 'run'),
  ...args,
];

describe('an input that is meant to do harm', () => {
  it.each([
    ['__proto__.x=1', /"__proto__" is no name of a setting/],
    ['constructor.prototype.x=1', /"constructor" is no name of a setting/],
    ['train.__proto__.x=1', /"__proto__" is no name of a setting/],
    ['train.steps.=1', /"" is no name of a setting/],
    ['train.steps=[', /the value is not valid YAML/],
    ['train={__proto__: {x: 1}}', /has a key that no setting is named/],
    ['train.steps=-1', /train.steps/],
    ['train.validationBatches=1e15', /validationBatches/],
    ['method.contrastDim=1e8', /contrastDim/],
  ])('--set %s is one sentence', async (override, sentence) => {
    expect(await sentenceOf(pretrain('--set', override), 2)).toMatch(sentence);
  });

  it('changes nothing that every object has', () => {
    expect(() => loadSettings(predictConfig, ['__proto__.polluted=1'])).toThrow(/no name of a setting/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each([
    [
      'an alias bomb',
      `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghij'].map((l, i) => `${l}: &${l} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(', ')}]`).join('\n')}\n`,
      /is not valid YAML: Excessive alias count/,
    ],
    ['a list that does not end', 'train: [', /is not valid YAML/],
    ['a prototype', '__proto__:\n  x: 1\n', /has a key "__proto__"/],
    ['ten thousand brackets', '['.repeat(10_000), /is not valid YAML/],
    ['nothing', '', /holds nothing/],
  ])('a configuration that is %s is one sentence', async (_, text, sentence) => {
    const file = join(folder, 'hostile.yaml');
    writeFileSync(file, text);
    expect(await sentenceOf(['pretrain', '--config', file, '--out', join(folder, 'run')], 2)).toMatch(
      sentence,
    );
  });

  it('a name that is too long is one sentence', async () => {
    const name = 'x'.repeat(300);
    const evaluate = (out: string) => [
      'evaluate',
      '--predictions',
      folder,
      '--labels',
      folder,
      '--classes',
      '1=a,2=b',
      '--out',
      out,
    ];
    expect(
      await sentenceOf(evaluate(join(folder, `${name}.json`)), 3).catch(() =>
        sentenceOf(evaluate(join(folder, `${name}.json`)), 1),
      ),
    ).not.toMatch(/unexpected/);
    expect(
      await sentenceOf(
        ['pretrain', '--config', 'configs/smoke/pretrain.yaml', '--out', join(folder, name)],
        3,
      ).catch(() =>
        sentenceOf(['pretrain', '--config', 'configs/smoke/pretrain.yaml', '--out', join(folder, name)], 1),
      ),
    ).toMatch(/hybridmim: /);
  });

  it.each([25, 40, 64, 128])(
    'few files at a time (%i) are one sentence, before the sources are loaded',
    (files) => {
      const datasets = join(folder, 'datasets.json');
      writeFileSync(
        datasets,
        JSON.stringify({
          schema: 1,
          datasets: {
            ct: {
              layout: 'files',
              modality: 'ct',
              classes: { 1: 'a', 2: 'b' },

              cases: [{ id: 'a', image: 'a.nii.gz', label: 'a_label.nii.gz' }],
            },
          },
        }),
      );
      const command = `ulimit -n ${files}; exec ${process.execPath} bin/hybridmim.mjs prepare --datasets ${datasets} --out ${join(folder, `files-${files}`)}`;
      let stderr = '';
      try {
        execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      } catch (error) {
        stderr = String((error as { stderr: string }).stderr);
      }
      expect(stderr).toMatch(
        /^hybridmim: \d+ files may be opened at a time, but 160 are needed: raise the limit with "ulimit -n 4096"\n$/,
      );
    },
  );

  it.skipIf(process.platform !== 'linux').each([1_000_000, 2_000_000, 7_000_000])(
    'an address space that is too small (%i KiB) is one sentence, before the runtime is loaded',
    (kib) => {
      const command = `ulimit -v ${kib}; exec ${process.execPath} bin/hybridmim.mjs doctor`;
      const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
      expect([status, stderr]).toEqual([
        1,
        `hybridmim: the address space is limited to ${(kib / 2 ** 20).toFixed(1)} GiB, but 7 GiB are reserved, whatever is used of them: raise the limit with "ulimit -v unlimited", or limit memory by a container\n`,
      ]);
    },
  );

  it.skipIf(process.platform !== 'linux')(
    'a disk that has no room for the log ends no work, and hides no exit code',
    () => {
      const program = join(process.cwd(), 'bin', 'hybridmim.mjs');
      const datasets = join(folder, 'one.json');
      const dataset = { layout: 'files', modality: 'ct', cases: [{ id: 'a', image: 'a.nii.gz' }] };
      writeFileSync(datasets, JSON.stringify({ schema: 1, datasets: { ct: dataset } }));
      const run = (args: string) =>
        spawnSync('bash', ['-c', `exec ${process.execPath} ${program} ${args} 2> /dev/full`]).status;
      expect(run(`prepare --datasets ${datasets} --out ${join(folder, 'unlogged')}`)).toBe(0);
      expect(existsSync(join(folder, 'unlogged', 'index.json'))).toBe(true);
      expect(run('prepare --datasets nowhere.json --out x')).toBe(3);
      expect(run(`prepare --check --datasets ${datasets} > /dev/full`)).toBe(1);
    },
  );

  it.skipIf(process.platform !== 'linux')('a folder that is gone while one is in it is one sentence', () => {
    const program = join(process.cwd(), 'bin', 'hybridmim.mjs');
    const inside = join(folder, 'gone');
    const command = `mkdir ${inside}; cd ${inside}; rmdir ${inside}; exec ${process.execPath} ${program} doctor`;
    const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      1,
      'hybridmim: the folder in which this command runs is gone: change to another one\n',
    ]);
  });

  it('a terminal that is closed stops a run as Ctrl-C does', async () => {
    const { interruptSignal } = await import('../../src/cli/interrupt.js');
    let told = 0;
    const signal = interruptSignal(() => {
      told++;
    });
    process.emit('SIGHUP', 'SIGHUP');
    expect([signal.aborted, told]).toEqual([true, 1]);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeAllListeners(name);
  });
});
