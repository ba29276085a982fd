import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/ranks/free-port.js';
import { readMetrics } from '../../src/training/index.js';
import { coresNote, shareOfReplicas } from '../../src/training/rank-group.js';
import { longTests } from '../long-tests.js';
import { prepareSmokeData } from './smoke-data.js';

const folder = mkdtempSync(join(tmpdir(), 'ranks-'));
let prepared: string;
beforeAll(async () => {
  prepared = await prepareSmokeData(folder);
});

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Pre-trains by the command line; It is interrupted once it has said something. */
function pretrain(
  out: string,
  settings: readonly string[],
  flags: readonly string[] = [],
  interruptAt = /^never$/,
): Promise<Ended> {
  const all = [`data.prepared=${prepared}`, 'train.threads=1', 'train.validateEvery=0', ...settings];
  const sets = all.flatMap((setting) => ['--set', setting]);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      'bin/hybridmim.mjs',
      'pretrain',
      '--config',
      'configs/smoke/pretrain.yaml',
      ...sets,
      '--out',
      join(folder, out),
      ...flags,
    ]);
    let [said, isInterrupted] = ['', false];
    child.stderr.on('data', (text: Buffer) => {
      said += text;
      if (!isInterrupted && interruptAt.test(said)) isInterrupted = child.kill('SIGINT');
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said }));
  });
}

/** Two ranks of a long run, each started by itself as a cluster starts it. */
async function startTwo(out: string): Promise<ChildProcess[]> {
  const port = await freePort('127.0.0.1');
  const sets = [`data.prepared=${prepared}`, 'train.threads=1', 'train.replicas=2', 'train.steps=200'];
  const args = ['pretrain', '--config', 'configs/smoke/pretrain.yaml', '--out', join(folder, out)];
  return [0, 1].map((rank) => {
    const place = { RANK: `${rank}`, WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: `${port}` };
    return spawn(
      process.execPath,
      ['bin/hybridmim.mjs', ...args, '--private-network', ...sets.flatMap((one) => ['--set', one])],
      {
        env: { ...process.env, ...place, HYBRIDMIM_TOKEN: 'one of us' },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
  });
}

const ranks = (count: number) => ['--ranks', String(count), '--private-network'];
const weightsOf = (run: string) => readFileSync(join(folder, run, 'checkpoints', 'last.safetensors'));
const lossesOf = (run: string) =>
  readMetrics(join(folder, run)).map((line) =>
    'losses' in line ? { loss: line.loss, losses: line.losses, norm: line.gradientNorm } : line,
  );

describe('ranks', () => {
  it('give what one process gives, bit for bit, and go on in another number', {
    timeout: 180_000,
  }, async () => {
    const settings = [
      'train.replicas=2',
      'train.steps=6',
      'train.checkpointEvery=2',
      'network.features=[8,8,8,16,224,8]', // gradients that are sent in several buckets, and one that is cut
    ];
    const [alone, together] = await Promise.all([
      pretrain('alone', settings),
      pretrain('together', settings, ranks(2), /pre-training [12]\/6/),
    ]);
    expect(alone, alone.said).toMatchObject({ code: 0 });
    expect(together, together.said).toMatchObject({ code: 130 });
    expect(together.said).toMatch(/hybridmim: stopped after step [1-5] of 6, state saved/);
    expect(together.said).toMatch(/\[rank 1\] hybridmim: stopped after step [1-5] of 6/);
    const resumed = await pretrain('together', settings, [...ranks(2), '--resume']);
    expect(resumed, resumed.said).toMatchObject({ code: 0 });
    expect(lossesOf('together')).toEqual(lossesOf('alone'));
    expect(weightsOf('together').equals(weightsOf('alone'))).toBe(true);
  });

  it.runIf(longTests)(
    'of any number give what one process gives with a fast reduction, bit for bit',
    {
      timeout: 300_000,
    },
    async () => {
      const settings = [
        'train.replicas=3',
        'train.steps=6',
        'train.learningRate=1e-4',
        'train.reduction=fast',
        'network.features=[8,8,8,16,225,7]', // buckets that three ranks do not divide
      ];
      const alone = await pretrain('fast-1', settings);
      const together = await pretrain('fast-3', settings, ranks(3));
      expect([alone.code, together.code], together.said).toEqual([0, 0]);
      expect(lossesOf('fast-3')).toEqual(lossesOf('fast-1'));
      expect(weightsOf('fast-3').equals(weightsOf('fast-1'))).toBe(true);
    },
  );

  it.runIf(longTests)(
    'end with a sentence that names the one that is lost, and never as if all were well',
    {
      timeout: 120_000,
    },
    async () => {
      for (const round of [1, 2, 3]) {
        const [first, second] = await startTwo(`lost-${round}`);
        let said = '';
        const ended = new Promise((resolve) => first?.on('close', resolve));
        await new Promise<void>((resolve) =>
          first?.stderr?.on('data', (text: Buffer) => {
            said += text;
            if (/pre-training [1-9]/.test(said)) resolve();
          }),
        );
        await wait(100 * round);
        second?.kill('SIGKILL');
        expect(await ended, said).toBe(1);
        expect(said).toMatch(/hybridmim: rank 1 \(.*\) is lost: .*; start all ranks again with --resume/);
      }
    },
  );

  it('end at once when they are told a second time to stop, also in the middle of a collective', async () => {
    const started = await startTwo('twice');
    const [first, second] = started as [ChildProcess, ChildProcess];
    try {
      await new Promise<void>((resolve) => {
        first.stderr?.on('data', (text: Buffer) => /1\/200/.test(`${text}`) && resolve());
      });
      first.kill('SIGSTOP');
      await wait(1000); // the other one waits for it now
      const ended = new Promise((resolve) => second.on('exit', (code) => resolve(code)));
      second.kill('SIGTERM');
      await wait(500);
      second.kill('SIGTERM');
      // Before its lifeline would end it, after 8 s of silence.
      expect(await Promise.race([ended, wait(5000, 'still there')])).toBe(130);
    } finally {
      for (const child of started) child.kill('SIGKILL');
    }
  });

  it('do not start where strangers may reach them, nor in numbers that do not go into the replicas', async () => {
    const open = await pretrain('refused', ['train.replicas=2'], ['--ranks', '2']);
    expect(open).toMatchObject({ code: 2 });
    expect(open.said).toContain('add --private-network where no stranger reaches them');
    const wrong = await pretrain('refused', ['train.replicas=2'], ['--ranks', '0', '--private-network']);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.said).toContain('--ranks is 0, but must be a whole number of at least 1');
  });

  it('are told where they take more cores than there are', () => {
    const cpu = { kind: 'cpu', cores: 8 } as const;
    expect(coresNote({ localRanks: 1 }, 0, cpu)).toBeUndefined();
    expect(coresNote({ localRanks: 2 }, 4, cpu)).toBeUndefined();
    expect(coresNote({ localRanks: 2 }, 0, { ...cpu, kind: 'gpu' })).toBeUndefined();
    expect(coresNote({ localRanks: 3 }, 0, cpu)).toBe(
      '3 ranks of this machine use 8 threads each, but it has 8 cores: --set train.threads=2 is faster',
    );
    expect(coresNote({ localRanks: 16 }, 1, cpu)).toContain('--set train.threads=1 is faster');
  });

  it('end where a flag is wrong, though they called rank 0 before it was read', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['bin/hybridmim.mjs', 'pretrain', '--private-network', '--bogus'],
      {
        encoding: 'utf8',
        timeout: 60_000,
        env: { ...process.env, RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '29871' },
      },
    );
    expect(stderr).toContain('see "hybridmim pretrain --help"');
    expect(status).toBe(2);
  });

  it('divide the replicas of a step', () => {
    const train = { replicas: 4, reduction: 'exact', engine: 'graph' } as const;
    const of = (rank: number, count: number) => shareOfReplicas(train, { rank, ranks: count });
    expect(shareOfReplicas(train, undefined)).toEqual({ all: 4, first: 0, here: 4 });
    expect(of(1, 2)).toEqual({ all: 4, first: 2, here: 2 });
    expect(of(3, 4)).toEqual({ all: 4, first: 3, here: 1 });
    expect(() => of(0, 3)).toThrow(
      'train.replicas is 4, which 3 ranks do not divide: set it to a multiple of 3',
    );
    expect(() => shareOfReplicas({ ...train, replicas: 6 }, { rank: 0, ranks: 3 })).toThrow(
      'train.reduction is exact, which takes 2, 4, 8 ... ranks, but there are 3',
    );
    expect(shareOfReplicas({ ...train, replicas: 6, reduction: 'fast' }, { rank: 2, ranks: 3 })).toEqual({
      all: 6,
      first: 4,
      here: 2,
    });
    expect(() => shareOfReplicas({ ...train, engine: 'eager' }, { rank: 0, ranks: 2 })).toThrow(
      'train.engine is eager',
    );
  });
});
