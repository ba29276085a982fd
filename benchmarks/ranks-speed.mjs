// A step of HybridMIM(UNet) shared by two ranks of one thread each: what the all-reduce adds to two processes that know nothing of each
// other, and PyTorch's DistributedDataParallel with gloo beside it, by turns.
// Usage: node benchmarks/ranks-speed.mjs --python PY --prepared FOLDER [--rounds 3] [--steps 3] [--crop 96] [--region 64]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../dist/ranks/free-port.js';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string' },
    prepared: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '3' },
    crop: { type: 'string', default: '96' },
    region: { type: 'string', default: '64' },
    reduction: { type: 'string', default: 'exact' },
  },
});
const [steps, crop, region] = [flags.steps, flags.crop, flags.region].map(Number);
const folder = mkdtempSync(join(tmpdir(), 'hybridmim-ranks-'));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function run(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let [said, wrong] = ['', ''];
    child.stdout.on('data', (text) => {
      said += text;
    });
    child.stderr.on('data', (text) => {
      wrong += text;
    });
    child.on('close', (code) => (code === 0 ? resolve(said) : reject(new Error(wrong.slice(-800)))));
  });
}

/** Seconds of the steps of one training run, but the first, which also makes the graph ready. */
async function training(out, replicas, extra) {
  const settings = [
    `data.prepared=${flags.prepared}`,
    'data.split=all',
    `data.cropSize=[${crop},${crop},${crop}]`,
    'data.workers=1',
    `method.region=${region}`,
    'method.weights.contrast=0', // a batch of 1 has no negatives
    'train.batchSize=1',
    'train.threads=1',
    `train.replicas=${replicas}`,
    `train.reduction=${flags.reduction}`,
    `train.steps=${steps + 1}`,
    'train.warmupSteps=0',
    'network.features=[64,64,128,256,512,64]',
    'network.dropout=0.1',
    'method.subVolume=32',
    'method.patch=16',
    'train.validateEvery=0',
    'train.checkpointEvery=1000',
  ];
  const sets = settings.flatMap((setting) => ['--set', setting]);
  const all = ['bin/hybridmim.mjs', 'pretrain', '--config', 'configs/smoke/pretrain.yaml', ...sets];
  await run(process.execPath, [...all, '--out', out, ...extra]);
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n').slice(1);
  rmSync(out, { recursive: true });
  return lines.map((line) => JSON.parse(line).seconds);
}

const kinds = {
  apart: async () =>
    (await Promise.all(['a', 'b'].map((name) => training(join(folder, name), 1, [])))).flat(),
  ranks: () => training(join(folder, 'ranks'), 2, ['--ranks', '2', '--private-network']),
  ...(flags.python && {
    ddp: async () => {
      const port = await freePort('127.0.0.1');
      const size = ['--crop', flags.crop, '--region', flags.region, '--steps', flags.steps, '--threads', '1'];
      const rank = (place) =>
        run(flags.python, ['benchmarks/torch_step.py', ...size], {
          RANK: String(place),
          WORLD_SIZE: '2',
          MASTER_ADDR: '127.0.0.1',
          MASTER_PORT: String(port),
          OMP_NUM_THREADS: '1',
        });
      const [said] = await Promise.all([rank(0), rank(1)]);
      return JSON.parse(said).stepSeconds;
    },
  }),
};

const found = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
try {
  for (let round = 0; round < Number(flags.rounds); round++)
    for (const [kind, measure] of Object.entries(kinds)) {
      const seconds = await measure();
      found[kind].push(...seconds);
      process.stderr.write(`${kind}: ${seconds.map((value) => value.toFixed(2)).join(', ')} s\n`);
    }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const medians = Object.fromEntries(Object.entries(found).map(([kind, seconds]) => [kind, median(seconds)]));
process.stdout.write(
  `${JSON.stringify({ medians, 'all-reduce as a share of the step': 1 - medians.apart / medians.ranks, 'ranks to ddp': medians.ranks / medians.ddp })}\n`,
);
