import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/ranks/free-port.js';

interface Rank {
  readonly process: ChildProcess;
  readonly said: () => string;
  /** Resolves when it has said so. */
  saying(what: string): Promise<void>;
  /** Resolves to its exit code when it has ended. */
  readonly ended: Promise<number | null>;
}

const started: Rank[] = [];
afterEach(() => {
  for (const { process } of started.splice(0)) process.kill('SIGKILL');
});

function startRank(
  rank: number,
  ranks: number,
  port: number,
  extra: Record<string, string> = {},
  ...args: string[]
): Rank {
  const child = spawn(process.execPath, ['test/ranks/rank-process.mjs', ...args], {
    env: {
      ...process.env,
      RANK: String(rank),
      WORLD_SIZE: String(ranks),
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: String(port),
      HYBRIDMIM_TOKEN: 'secret',
      ...extra,
    },
  });
  let said = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      said += text;
      for (const look of waiting) look();
    });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => resolve(code));
  });
  const found: Rank = {
    process: child,
    said: () => said,
    saying: (what) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!said.includes(what)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(() => reject(new Error(`rank ${rank} ended before it said "${what}": ${said}`)));
      }),
    ended,
  };
  started.push(found);
  return found;
}

async function threeRanks(facts: readonly string[] = ['{"a":"1"}', '{"a":"1"}', '{"a":"1"}']) {
  const port = await freePort('127.0.0.1');
  return { port, ranks: facts.map((own, rank) => startRank(rank, 3, port, {}, own, '{"firstStep":5}')) };
}

describe('the lifeline of ranks', () => {
  it('gathers all, tells them what rank 0 says, and lets the others go after it', async () => {
    const { ranks } = await threeRanks();
    await Promise.all(ranks.map((rank) => rank.saying('gathered 3 {"firstStep":5}')));
    ranks[1]!.process.stdin!.write('leave\n');
    ranks[2]!.process.stdin!.write('leave\n');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(ranks[1]!.said()).not.toContain('left'); // rank 0 may still have to write
    ranks[0]!.process.stdin!.write('leave\n');
    expect(await Promise.all(ranks.map(({ ended }) => ended))).toEqual([0, 0, 0]);
  });

  it.each([0, 1, 2])('ends all when rank %i is killed, and all name it', async (victim) => {
    const { ranks } = await threeRanks();
    await Promise.all(ranks.map((rank) => rank.saying('gathered')));
    const killed = performance.now();
    ranks[victim]!.process.kill('SIGKILL');
    const others = ranks.filter((_, rank) => rank !== victim);
    expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([1, 1]);
    expect(performance.now() - killed).toBeLessThan(5000);
    for (const { said } of others) {
      expect(said()).toMatch(
        new RegExp(
          `ended: rank ${victim} \\([^)]+\\) is lost: its connection closed: rank \\d stops after step 7; `,
        ),
      );
      expect(said()).toContain('--resume');
    }
  });

  it('notices a rank that is killed before it is ready', async () => {
    const port = await freePort('127.0.0.1');
    const ranks = [0, 1].map((rank) => startRank(rank, 3, port));
    await Promise.all(ranks.map((rank) => rank.saying('opened')));
    // The third says hello, and its connection ends with it: as of a process that is killed.
    const call = () => {
      const third = connect(port, '127.0.0.1', () => third.end('{"hello":2,"token":"secret"}\n'));
      third.on('error', () => setTimeout(call, 50)); // rank 0 does not listen yet
    };
    call();
    expect(await Promise.all(ranks.map(({ ended }) => ended))).toEqual([1, 1]);
    for (const { said } of ranks)
      expect(said()).toMatch(/rank 2 \(127\.0\.0\.1\) is lost: its connection closed/);
  });

  it('tells all why a rank ends', async () => {
    const { ranks } = await threeRanks();
    await Promise.all(ranks.map((rank) => rank.saying('gathered')));
    ranks[2]!.process.stdin!.write('its disk is full\n');
    expect(await Promise.all(ranks.map(({ ended }) => ended))).toEqual([1, 1, 1]);
    for (const { said } of ranks.slice(0, 2))
      expect(said()).toMatch(/rank 2 \([^)]+\) ended: its disk is full/);
  });

  it('refuses a rank with another setting, and says which', async () => {
    const { ranks } = await threeRanks(['{"a":"1","b":"2"}', '{"a":"1","b":"3"}', '{"a":"1","b":"2"}']);
    expect(await Promise.all(ranks.map(({ ended }) => ended))).toEqual([1, 2, 1]);
    expect(ranks[1]!.said()).toContain(
      'ended: rank 1 was refused: its b is 3, but that of rank 0 is 2; all ranks must have the same',
    );
    for (const rank of [0, 2])
      expect(ranks[rank]!.said()).toMatch(/rank 1 \([^)]+\) was refused, because its b is 3/);
  });

  it('takes no stranger for a rank, and goes on', async () => {
    const port = await freePort('127.0.0.1');
    const ranks = [0, 1].map((rank) => startRank(rank, 2, port));
    await Promise.all(ranks.map((rank) => rank.saying('gathered')));
    const stranger = startRank(1, 2, port, { HYBRIDMIM_TOKEN: 'guessed' });
    expect(await stranger.ended).toBe(2);
    expect(stranger.said()).toContain('its HYBRIDMIM_TOKEN is another than that of rank 0');
    const twin = startRank(1, 2, port);
    expect(await twin.ended).toBe(2);
    expect(twin.said()).toMatch(/rank 1 is there already, from 127\.0\.0\.1/);
    for (const rubbish of ['GET / HTTP/1.1\r\n\r\n', '{"hello":9}\n', 'x'.repeat(3_000_000)])
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(rubbish));
        socket.on('error', () => {});
        socket.on('close', () => resolve());
      });
    for (const { process } of ranks) process.stdin!.write('leave\n');
    expect(await Promise.all(ranks.map(({ ended }) => ended))).toEqual([0, 0]);
  });

  it('waits no longer than it is told to', async () => {
    const port = await freePort('127.0.0.1');
    const patience = { HYBRIDMIM_PATIENCE: '1' };
    const alone = startRank(0, 3, port, patience);
    expect(await alone.ended).toBe(1);
    expect(alone.said()).toMatch(/ranks 1, 2 did not come within 1 s/);
    const lonely = startRank(1, 3, port, patience);
    expect(await lonely.ended).toBe(1);
    expect(lonely.said()).toMatch(/rank 0 at 127\.0\.0\.1:\d+ did not answer within 1 s/);
  });

  it('says so where rank 0 cannot listen', async () => {
    const port = await freePort('127.0.0.1');
    const first = startRank(0, 2, port);
    await first.saying('opened');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const second = startRank(0, 2, port);
    expect(await second.ended).toBe(2);
    expect(second.said()).toMatch(
      /rank 0 cannot listen on MASTER_ADDR 127\.0\.0\.1, MASTER_PORT \d+ \(listen EADDRINUSE/,
    );
  });
});
