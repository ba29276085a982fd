// What two ranks of a run send each other, in two network namespaces of this machine: bytes a step, a slow line, a line with delay,
// and one that is cut. Needs root, ip and tc.
// Usage: node benchmarks/ranks-network.mjs [--steps 12] [--cases fast,exact,slow,delayed,cut]
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { makeWorld } from '../scripts/faults/world.mjs';

const { values: flags } = parseArgs({
  options: {
    steps: { type: 'string', default: '12' },
    cases: { type: 'string', default: 'fast,exact,slow,delayed,cut' },
  },
});
const steps = Number(flags.steps);
const names = ['hmA', 'hmB'];
const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
const within = (name, ...command) => ['netns', 'exec', name, ...command];

/** Two hosts with a line between them; `shape` is what tc makes of it. */
function connect(shape) {
  for (const name of names) ip('netns', 'add', name);
  ip('link', 'add', 'va', 'netns', 'hmA', 'type', 'veth', 'peer', 'name', 'vb', 'netns', 'hmB');
  for (const [name, device, address] of [
    ['hmA', 'va', '10.77.0.1/24'],
    ['hmB', 'vb', '10.77.0.2/24'],
  ]) {
    ip('-n', name, 'addr', 'add', address, 'dev', device);
    for (const up of ['lo', device]) ip('-n', name, 'link', 'set', up, 'up');
    if (shape) ip(...within(name, 'tc', 'qdisc', 'add', 'dev', device, 'root', ...shape.split(' ')));
  }
}

function disconnect() {
  for (const name of names) if (existsSync(`/var/run/netns/${name}`)) ip('netns', 'del', name);
}

const sent = () =>
  Number(ip(...within('hmA', 'cat', '/sys/class/net/va/statistics/tx_bytes'))) +
  Number(ip(...within('hmB', 'cat', '/sys/class/net/vb/statistics/tx_bytes')));

const shapes = { slow: 'tbf rate 30mbit burst 256k latency 200ms' };

/** Milliseconds that a byte takes through the proxy. */
const delayMs = 40;
const proxies = [];

/** Passes on what comes to a port, a while later. */
function openProxy(from, to) {
  const later = (source, target) => {
    source.on('data', (bytes) => setTimeout(() => target.writable && target.write(bytes), delayMs));
    source.on('close', () => setTimeout(() => target.destroy(), delayMs));
    source.on('error', () => {});
  };
  const server = createServer((near) => {
    const far = netConnect(to, '127.0.0.1');
    later(near, far);
    later(far, near);
  }).listen(from, '127.0.0.1');
  proxies.push(server);
}

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-network-'));
const rows = [];
try {
  await makeWorld(folder, ['prepare']);
  for (const name of flags.cases.split(',')) {
    disconnect();
    const isDelayed = name === 'delayed';
    if (!isDelayed) connect(shapes[name]);
    // The others reach rank 0, and one another's servers, through the proxy alone.
    else for (const port of [29600, 29700, 29701]) openProxy(port + 1000, port);
    const out = join(folder, name);
    const settings = [
      `data.prepared=${join(folder, 'truth/prepare')}`,
      'data.cropSize=[16,16,16]',
      'method.subVolume=16',
      'method.region=16',
      'network.pools=[2,2,2,1]',
      'network.features=[16,16,32,64,128,16]',
      'train.threads=1',
      'train.replicas=2',
      `train.steps=${name === 'cut' ? 10_000 : steps}`,
      'train.validateEvery=0',
      'train.checkpointEvery=10000',
      `train.reduction=${name === 'fast' ? 'fast' : 'exact'}`,
    ];
    const command = [
      'bin/hybridmim.mjs',
      'pretrain',
      '--config',
      'configs/smoke/pretrain.yaml',
      '--private-network',
    ];
    const args = [...command, ...settings.flatMap((setting) => ['--set', setting]), '--out', out];
    const said = ['', ''];
    const ranks = names.map((host, rank) => {
      const place = isDelayed
        ? {
            MASTER_ADDR: '127.0.0.1',
            MASTER_PORT: String(29600 + 1000 * rank),
            HYBRIDMIM_PORT: String(29700 + rank),
            HYBRIDMIM_ADDRESS: `127.0.0.1:${30700 + rank}`,
          }
        : { MASTER_ADDR: '10.77.0.1', MASTER_PORT: '29600' };
      const [program, ...rest] = isDelayed
        ? [process.execPath, ...args]
        : ['ip', ...within(host, process.execPath, ...args)];
      const child = spawn(program, rest, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, RANK: String(rank), WORLD_SIZE: '2', ...place },
      });
      child.stderr.on('data', (text) => {
        said[rank] += text;
      });
      return { child, ended: new Promise((resolve) => child.on('close', resolve)) };
    });
    const file = join(out, 'metrics.jsonl');
    const done = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0);
    const until = async (step) => {
      while (done() < step && ranks.every(({ child }) => child.exitCode === null)) await wait(5);
      return { step: done(), bytes: isDelayed ? Number.NaN : sent(), at: performance.now() };
    };
    const from = await until(2);
    if (name === 'cut') {
      ip('-n', 'hmB', 'link', 'set', 'vb', 'down');
      const cut = performance.now();
      const ends = await Promise.all(
        ranks.map(async ({ ended }) => [await ended, (performance.now() - cut) / 1000]),
      );
      rows.push({
        case: name,
        ends: ends.map(([code, seconds]) => `exit ${code} after ${seconds.toFixed(1)} s`),
        said: said.map((text) => /hybridmim: (.*)/.exec(text)?.[1]),
      });
    } else {
      const to = await until(steps - 1);
      const codes = await Promise.all(ranks.map(({ ended }) => ended));
      const parameters = 4 * Number(/([\d.]+) million parameters/.exec(said[0])?.[1]) * 1e6;
      const each = (to.bytes - from.bytes) / (to.step - from.step) / 2;
      rows.push({
        case: name,
        'exit codes': codes,
        'bytes a step and rank': Math.round(each),
        'of 4P': Number((each / parameters).toFixed(3)),
        'seconds a step': Number(((to.at - from.at) / 1000 / (to.step - from.step)).toFixed(2)),
      });
    }
    process.stdout.write(`${JSON.stringify(rows.at(-1))}\n`);
  }
} finally {
  for (const proxy of proxies) proxy.close();
  disconnect();
  rmSync(folder, { recursive: true, force: true });
}
