// A supervised training step of each network here and in PyTorch + MONAI, in one run on one machine, by turns.
// node benchmarks/networks.mjs --python /path/to/python [--steps 3] [--rounds 1] [--crop 96] [--only swin-unetr.*float32] [--patience 900] [--out file.json]
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measuredBy, median } from './measured.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    steps: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    crop: { type: 'string', default: '96' },
    only: { type: 'string', default: '.' },
    patience: { type: 'string', default: '900' }, // seconds for one process, of which PyTorch may need many in bfloat16
    out: { type: 'string' },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const steps = Number(flags.steps);
const classes = 13; // BTCV's organs

const ours = (network, precision) =>
  measuredBy(
    process.execPath,
    [
      join(here, 'network-step.mjs'),
      JSON.stringify({
        network: { name: network },
        precision,
        crop: Number(flags.crop),
        classes,
        steps,
        threads: 0,
      }),
    ],
    Number(flags.patience),
  );
const torch = (network, precision, setting) =>
  measuredBy(
    flags.python,
    [
      join(here, 'torch_network_step.py'),
      ...[
        '--network',
        network,
        '--crop',
        flags.crop,
        '--classes',
        classes,
        '--precision',
        precision,
        '--setting',
        setting,
        '--steps',
        steps,
      ],
    ],
    Number(flags.patience),
  );

const results = new Map();
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const network of ['swin-unetr', 'unetr', 'seg-res-net']) {
    for (const precision of ['float32', 'bfloat16']) {
      const jobs = [
        ['hybridmim', () => ours(network, precision)],
        ...['plain', 'channels_last', 'compile'].map((setting) => [
          `torch ${setting}`,
          () => torch(network, precision, setting),
        ]),
      ];
      for (const [who, job] of jobs) {
        const name = `${network} ${precision} ${who}`;
        if (!new RegExp(flags.only).test(name)) continue;
        const result = await job();
        const earlier = results.get(name);
        if (earlier?.stepSeconds && result.stepSeconds) earlier.stepSeconds.push(...result.stepSeconds);
        else if (!earlier) results.set(name, { network, precision, who, ...result });
        process.stderr.write(
          `${name}: ${result.failed ?? result.stepSeconds.map((s) => s.toFixed(2)).join(' ')}\n`,
        );
      }
    }
  }
}

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; crop ${flags.crop}, batch 1, 1 channel, ${classes} classes`,
);
console.log('| network | precision | | median s | range s | peak GB |\n|---|---|---|---|---|---|');
for (const { network, precision, who, stepSeconds, peakBytes, failed } of results.values())
  console.log(
    `| ${network} | ${precision} | ${who} | ${
      stepSeconds
        ? `${median(stepSeconds).toFixed(2)} | ${Math.min(...stepSeconds).toFixed(2)} to ${Math.max(...stepSeconds).toFixed(2)} | ${(peakBytes / 1e9).toFixed(2)}`
        : `failed: ${failed} | |`
    } |`,
  );
for (const mine of results.values()) {
  if (mine.who !== 'hybridmim' || !mine.stepSeconds) continue;
  const theirs = [...results.values()].filter(
    (r) =>
      r.who !== 'hybridmim' && r.network === mine.network && r.precision === mine.precision && r.stepSeconds,
  );
  const best = theirs.toSorted((a, b) => median(a.stepSeconds) - median(b.stepSeconds))[0];
  if (!best) continue;
  const least = Math.min(...theirs.map(({ peakBytes }) => peakBytes));
  const time = (median(mine.stepSeconds) / median(best.stepSeconds)).toFixed(3);
  const memory = `${(mine.peakBytes / best.peakBytes).toFixed(3)} of its peak memory, ${(mine.peakBytes / least).toFixed(3)} of the least of PyTorch's`;
  console.log(`${mine.network} ${mine.precision}: ${time} of the time of ${best.who}; ${memory}`);
}
if (flags.out) writeFileSync(flags.out, `${JSON.stringify([...results.values()], null, 1)}\n`);
process.reallyExit(0);
