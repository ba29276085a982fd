// What a cluster would run of configs/cluster, run here with the variables of Slurm and Kubernetes set by hand.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { commandParser } from '../../src/cli/parser.js';
import { loadConfig, pretrainConfig } from '../../src/config/index.js';
import { prepareDatasets } from '../../src/dataset/index.js';
import { rankPlaceOf } from '../../src/ranks/index.js';
import {
  datasetIndex,
  labelledCase,
  temporaryFolder,
  writeCase,
  writeJson,
} from '../dataset/generated-data.js';
import { preparedHashes } from '../dataset/prepared-hashes.js';
import { longTests } from '../long-tests.js';

const templates = 'configs/cluster';
const files = readdirSync(templates);
const folder = temporaryFolder();
const programs = join(folder, 'bin');
const calls = join(folder, 'calls.jsonl');
const own = /^(?:RANK|WORLD_SIZE|JOB_COMPLETION_INDEX|SLURM_|MASTER_|HYBRIDMIM_)/;

/** What a program in place of `hybridmim` was called with. */
interface Call {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

beforeAll(() => {
  mkdirSync(programs);
  const program = (name: string, text: string) => writeFileSync(join(programs, name), text, { mode: 0o755 });
  program(
    'hybridmim',
    `#!/usr/bin/env node
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => ${own}.test(name)));
require('node:fs').appendFileSync(${JSON.stringify(calls)}, JSON.stringify({ args: process.argv.slice(2), env }) + '\\n');`,
  );
  // As Slurm's: the first host of the list, and a task for each rank.
  program(
    'scontrol',
    // More names than a pipe holds: who reads the first alone would end this in the middle.
    '#!/bin/bash\n[ "$1 $2 $3" = "show hostnames node[7-8]" ] && echo node7 && for ((i = 0; i < 9999; i++)); do echo node8; done',
  );
  program(
    'srun',
    `#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
for ((i = 0; i < SLURM_NTASKS; i++)); do SLURM_PROCID=$i SLURM_LOCALID=$((i % 4)) "$@"; done`,
  );
});

function run(
  command: readonly string[],
  env: Record<string, string>,
  path = `${programs}:${process.env.PATH}`,
) {
  const [program = '', ...args] = command;
  const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
  return spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...env, PATH: path },
  });
}

/** The calls of `hybridmim` that a template makes. */
function callsOf(command: readonly string[], env: Record<string, string>): Call[] {
  writeFileSync(calls, '');
  const { status, stderr } = run(command, env);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return readFileSync(calls, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Call);
}

/** Parses as the program does, and returns the flags. */
async function accepted({ args }: Call): Promise<Record<string, unknown>> {
  let ran = '';
  const flags = await commandParser(args, async ({ command }) => {
    ran = command;
  }).parseAsync();
  expect(ran.split(' ')[0]).toBe(args[0]);
  return flags as Record<string, unknown>;
}

const job = z.object({
  kind: z.literal('Job'),
  spec: z.object({
    completionMode: z.literal('Indexed'),
    completions: z.number(),
    parallelism: z.number(),
    template: z.object({
      spec: z.object({
        subdomain: z.string().optional(),
        containers: z.tuple([
          z.object({
            command: z.tuple([z.literal('/bin/bash'), z.literal('-c')]),
            args: z.tuple([z.string()]),
            env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
          }),
        ]),
      }),
    }),
  }),
});

const documentsOf = (file: string) => {
  const documents = parseAllDocuments(readFileSync(join(templates, file), 'utf8'));
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  return documents.map((document) => document.toJS() as { kind: string; metadata: { name: string } });
};

describe('the templates for clusters', () => {
  it('are those that this test knows', () => {
    expect(files.sort()).toEqual([
      'experiment.sbatch',
      'kubernetes-prepare.yaml',
      'kubernetes-pretrain.yaml',
      'merge.sbatch',
      'prepare.sbatch',
      'pretrain.sbatch',
    ]);
  });

  it.each(files.filter((file) => file.endsWith('.sbatch')))(
    '%s is a script, with its options first',
    (file) => {
      execFileSync('bash', ['-n', join(templates, file)]);
      const lines = readFileSync(join(templates, file), 'utf8').split('\n');
      const firstCommand = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
      expect(lines.findLastIndex((line) => line.startsWith('#SBATCH '))).toBeLessThan(firstCommand);
      expect(lines[0]).toBe('#!/bin/bash');
    },
  );

  it.each(files.filter((file) => file.endsWith('.sbatch')))('%s says which variable it misses', (file) => {
    const { status, stderr } = run(['bash', join(templates, file)], {});
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/: (?:DATASETS|CONFIG): is /);
  });
});

describe('pretrain.sbatch', () => {
  const run = join(folder, 'runs', 'pretrain');
  const env = {
    CONFIG: 'configs/smoke/pretrain.yaml',
    RUN: run,
    SLURM_JOB_NODELIST: 'node[7-8]',
    SLURM_JOB_ID: '123456',
    SLURM_NTASKS: '8',
  };

  it('starts ranks that find their places, with a batch of a step each', async () => {
    const ranks = callsOf(['bash', join(templates, 'pretrain.sbatch')], env);
    expect(ranks).toHaveLength(8);
    for (const [rank, call] of ranks.entries()) {
      expect(rankPlaceOf(call.env)).toMatchObject({
        rank,
        ranks: 8,
        localRank: rank % 4,
        host: 'node7',
        port: 20_000 + 3456,
        token: ranks[0]?.env.HYBRIDMIM_TOKEN,
      });
      const flags = await accepted(call);
      expect(flags).toMatchObject({ config: env.CONFIG, out: run, 'private-network': true, resume: false });
      const { train } = await loadConfig(pretrainConfig, env.CONFIG, flags.set as string[]);
      expect(train).toMatchObject({ replicas: 8, reduction: 'exact' });
    }
    expect(ranks[0]?.env.HYBRIDMIM_TOKEN).toMatch(/^[0-9a-f]{32}$/);
  });

  it('goes on with a run that is there', async () => {
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'config.yaml'), '');
    const [first] = callsOf(['bash', join(templates, 'pretrain.sbatch')], { ...env, REDUCTION: 'fast' });
    expect(first?.args).toContain('--resume');
    expect(first?.args).toContain('train.reduction=fast');
  });
});

it('experiment.sbatch runs an experiment', async () => {
  const [call] = callsOf(['bash', join(templates, 'experiment.sbatch')], {
    CONFIG: 'configs/experiment/demo.yaml',
    OUT: 'runs/demo',
  });
  expect(await accepted(call!)).toMatchObject({
    config: 'configs/experiment/demo.yaml',
    out: 'runs/demo',
    jobs: 1,
  });
});

describe('the templates for Kubernetes', () => {
  const envOf = (file: string, index: number) => {
    const found = job.parse(documentsOf(file).find(({ kind }) => kind === 'Job'));
    const [container] = found.spec.template.spec.containers;
    const given = container.env.map(({ name, value = 'a-secret' }) => [name, value] as const);
    return {
      ...found.spec,
      script: container.args[0].replaceAll('/data', join(folder, 'data')),
      env: { ...Object.fromEntries(given), JOB_COMPLETION_INDEX: String(index) },
    };
  };

  it('of pre-training gives each pod its place among the ranks, by the name of the first in its service', async () => {
    const [service, policy] = documentsOf('kubernetes-pretrain.yaml');
    expect(service).toMatchObject({
      kind: 'Service',
      spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { app: 'hybridmim-pretrain' } },
    });
    expect(policy).toMatchObject({
      kind: 'NetworkPolicy',
      spec: { podSelector: { matchLabels: { app: 'hybridmim-pretrain' } } },
    });
    for (const index of [0, 3]) {
      const { script, env, completions, parallelism, template } = envOf('kubernetes-pretrain.yaml', index);
      expect([completions, parallelism, template.spec.subdomain]).toEqual([4, 4, service?.metadata.name]);
      const [call] = callsOf(['bash', '-c', script], env);
      expect(rankPlaceOf(call!.env)).toMatchObject({
        rank: index,
        ranks: completions,
        host: `hybridmim-pretrain-0.${service?.metadata.name}`,
        port: 29_500,
        patience: 900,
        token: 'a-secret',
      });
      const flags = await accepted(call!);
      expect(flags).toMatchObject({ 'private-network': true, resume: false });
      const { train } = await loadConfig(
        pretrainConfig,
        'configs/smoke/pretrain.yaml',
        flags.set as string[],
      );
      expect(train.replicas).toBe(completions);
    }
  });

  it('of preparing gives each pod its shard, of as many as there are', async () => {
    for (const index of [0, 15]) {
      const { script, env, completions } = envOf('kubernetes-prepare.yaml', index);
      const [call] = callsOf(['bash', '-c', script], env);
      expect((await accepted(call!)).shard).toBe(`${index + 1}/${completions}`);
    }
  });
});

it.runIf(longTests)(
  'prepare.sbatch as an array, then merge.sbatch, end with what one prepare makes',
  async () => {
    for (const name of ['a', 'b', 'c']) await writeCase(folder, name, [20, 18, 16]);
    const cases = [
      ...['a', 'b', 'c'].map((name) => labelledCase(name)),
      { id: 'gone', image: 'gone.nii.gz' },
    ];
    const DATASETS = writeJson(join(folder, 'datasets.json'), datasetIndex(cases));
    const real = join(folder, 'real');
    mkdirSync(real);
    const entry = resolve('bin/hybridmim.mjs');
    writeFileSync(join(real, 'hybridmim'), `#!/bin/bash\nexec ${process.execPath} ${entry} "$@"\n`, {
      mode: 0o755,
    });
    const path = `${real}:${process.env.PATH}`;
    const [PREPARED, whole] = [join(folder, 'sharded'), join(folder, 'whole')];
    for (const id of ['1', '2']) {
      const env = { DATASETS, PREPARED, SHARDS: '2', SLURM_ARRAY_TASK_ID: id, SLURM_CPUS_PER_TASK: '1' };
      const { status, stderr } = run(['bash', join(templates, 'prepare.sbatch')], env, path);
      expect(status, stderr).toBe(id === '1' ? 0 : 3); // one case is not there, which its shard says
    }
    const merged = run(['bash', join(templates, 'merge.sbatch')], { DATASETS, PREPARED }, path);
    expect(merged.status, merged.stderr).toBe(3);
    await prepareDatasets({ datasetsFile: DATASETS, out: whole, workers: 1 });
    expect(preparedHashes(PREPARED)).toEqual(preparedHashes(whole));
    expect(Object.keys(preparedHashes(whole))).toHaveLength(6); // images and labels of the three cases that are there
    const indexOf = (prepared: string) => readFileSync(join(prepared, 'index.json'), 'utf8');
    expect(indexOf(PREPARED)).toBe(indexOf(whole));
  },
);
