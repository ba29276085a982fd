import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomStream } from '../../dist/random/streams.js';
import { freePort } from '../../dist/ranks/free-port.js';
import { commands } from './commands.mjs';
import { contentOf, differenceOf, makeWorld, run } from './world.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const program = join(root, 'bin/hybridmim.mjs');

/** Seconds within which all must be gone, by what happens to one. */
const within = { SIGKILL: 5, SIGSTOP: 15 };
const replicas = 4;
const steps = 16;

/**
 * Kills or stops one of 2 or 4 ranks of a pre-training at a random moment, its start included; sees that the others end in time
 * and name it; and resumes with 4, 2 or 1 ranks: what is left must be that of an undisturbed run of one process, bit for bit. In
 * turns `--ranks` starts the ranks, or they are started one by one, and then one is ended only once it has called rank 0, since
 * before that nobody can tell it from one that is late.
 */
export async function ranks({ count, seed, first = 0, onProgress = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-ranks-'));
  const rows = [];
  try {
    const { truth } = await makeWorld(folder, ['prepare']);
    const train = [`train.replicas=${replicas}`, `train.steps=${steps}`, 'train.checkpointEvery=4'];
    const args = (out) => [
      ...commands.pretrain.args(folder, out),
      ...train.flatMap((setting) => ['--set', setting]),
      '--private-network',
    ];
    const whole = join(truth, 'pretrain');
    const undisturbed = await run(args(whole));
    if (undisturbed.code !== 0) throw new Error(undisturbed.stderr);
    for (let round = first; round < first + count; round++) {
      const random = randomStream(seed, 'phantom', round);
      const size = 2 ** (1 + random.integer(2));
      const signal = random.integer(6) === 0 ? 'SIGSTOP' : 'SIGKILL';
      const launched = round % 2 === 0;
      const victim = random.integer(size);
      const out = join(folder, `round-${round}`, 'pretrain');
      const row = { round, ranks: size, launched, signal, victim, seconds: 0, faults: [] };
      rows.push(row);
      const fault = (why) => row.faults.push({ round, why });
      const group = launched ? await launch(args(out), size) : await startEach(args(out), size);
      const delay = random.uniform() * 12_000;
      row.after = Number((delay / 1000).toFixed(2));
      await wait(delay);
      const before = group.running();
      group.kill(victim, signal);
      const began = performance.now();
      const others = Array.from({ length: size }, (_, rank) => rank).filter((rank) => rank !== victim);
      while (group.running().some((rank) => rank !== victim) && performance.now() - began < 30_000)
        await wait(20);
      row.seconds = Number(((performance.now() - began) / 1000).toFixed(2));
      group.kill(victim, 'SIGKILL');
      await group.end();
      if (before.length < size) row.finished = true;
      else {
        if (row.seconds > within[signal]) fault(`ranks were left for ${row.seconds} s`);
        for (const rank of others)
          if (!group.said(rank).includes(`rank ${victim} `))
            fault(`rank ${rank} does not name it: ${group.said(rank).slice(-300)}`);
      }
      const again = 2 ** random.integer(3);
      const goesOn = contentOf(out)['config.yaml'] === undefined ? [] : ['--resume'];
      const resumed = await run([...args(out), ...goesOn, '--ranks', String(again)]);
      row.resumedBy = again;
      if (resumed.code !== 0)
        fault(`resuming by ${again} ranks ended with ${resumed.code}: ${resumed.stderr.slice(-300)}`);
      const difference = differenceOf(contentOf(whole), contentOf(out));
      if (difference) fault(`${difference} after ${again} ranks went on`);
      onProgress(row);
      rmSync(dirname(out), { recursive: true, force: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}

/** Ranks that one command starts and waits for. */
async function launch(args, size) {
  const child = spawn(process.execPath, [program, ...args, '--ranks', String(size)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    const parts = `${rest}${text}`.split('\n');
    rest = parts.pop();
    lines.push(...parts);
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let pids = [];
  while (pids.length < size && child.exitCode === null) {
    pids = ranksOf(child.pid);
    await wait(5);
  }
  const alive = (pid) => {
    try {
      return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  };
  return {
    running: () => pids.flatMap((pid, rank) => (alive(pid) ? [rank] : [])),
    kill: (rank, signal) => kill(pids[rank], signal),
    said: (rank) =>
      lines
        .filter((line) => (rank === 0 ? line.startsWith('hybridmim:') : line.startsWith(`[rank ${rank}]`)))
        .map((line) => line.replace(/^\[rank \d+\]/, ''))
        .join('\n'),
    end: async () => {
      const late = setTimeout(() => {
        for (const pid of pids) kill(pid, 'SIGKILL');
      }, 8000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Ranks of which each is started as a cluster starts it. */
async function startEach(args, size) {
  const port = await freePort('127.0.0.1');
  const said = Array.from({ length: size }, () => '');
  const children = said.map((_, rank) => {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        RANK: String(rank),
        WORLD_SIZE: String(size),
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: String(port),
        HYBRIDMIM_TOKEN: 'one of us',
        HYBRIDMIM_PATIENCE: '60',
      },
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said[rank] += text;
    });
    return child;
  });
  const ended = Promise.all(children.map((child) => new Promise((resolve) => child.on('close', resolve))));
  while (connectionsTo(port) < size - 1 && children.every(({ exitCode }) => exitCode === null))
    await wait(10);
  return {
    running: () =>
      children.flatMap(({ exitCode, signalCode }, rank) =>
        exitCode === null && signalCode === null ? [rank] : [],
      ),
    kill: (rank, signal) => kill(children[rank].pid, signal),
    said: (rank) => said[rank],
    end: async () => {
      for (const child of children) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The processes that one started, in the order of their ranks; numbers of processes begin again at some time. */
const ranksOf = (parent) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const own = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]) === parent;
        const rank = own && /(?:^|\0)RANK=(\d+)\0/.exec(readFileSync(`/proc/${name}/environ`, 'utf8'))?.[1];
        return rank ? [{ pid: Number(name), rank: Number(rank) }] : [];
      } catch {
        return []; // it has ended
      }
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ pid }) => pid);

/** How many connections stand to a port of this machine. */
const connectionsTo = (port) =>
  readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter(
      (line) =>
        line.split(/\s+/)[3] === `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}` &&
        / 01 /.test(line),
    ).length;

function kill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
