// Sliding-window inference of one volume here and in PyTorch + MONAI, each in a process of its own, by turns in one run.
// node benchmarks/inference.mjs --python /path/to/python [--networks unet,swin-unetr,unetr,seg-res-net] [--swin-width 24] [--size 160] [--batches 1] [--repeats 1] [--quick] [--out file.json]
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measuredBy, median } from './measured.mjs';

const { values: flags } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    networks: { type: 'string', default: 'unet,swin-unetr' },
    'swin-width': { type: 'string', default: '24' },
    settings: { type: 'string', default: 'plain,channels_last,compile' },
    precision: { type: 'string', default: 'float32' },
    size: { type: 'string', default: '160' },
    window: { type: 'string', default: '96' },
    classes: { type: 'string', default: '14' },
    batches: { type: 'string', default: '1' },
    repeats: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const networks = {
  unet: { name: 'unet', features: [32, 32, 64, 128, 256, 32], dropout: 0.1 },
  'swin-unetr': { name: 'swin-unetr', featureSize: Number(flags['swin-width']) },
  unetr: { name: 'unetr', imageSize: Array.from({ length: 3 }, () => Number(flags.window)) },
  'seg-res-net': { name: 'seg-res-net' },
};
const job = {
  size: flags.quick ? 64 : Number(flags.size),
  window: flags.quick ? 64 : Number(flags.window),
  outChannels: Number(flags.classes),
  precision: flags.precision,
  repeats: Number(flags.repeats),
  threads: 0,
};

function measured(network, { tool, setting, windowBatch }) {
  const asked = JSON.stringify({ ...job, network: networks[network], setting, windowBatch });
  const [program, script] =
    tool === 'hybridmim' ? [process.execPath, 'inference-job.mjs'] : [flags.python, 'torch_inference.py'];
  return measuredBy(program, [join(here, script), asked]);
}

const batches = flags.batches.split(',').map(Number);
const results = [];
for (const network of flags.networks.split(',')) {
  const runs = batches.flatMap((windowBatch) => [
    { tool: 'hybridmim', setting: '', windowBatch },
    ...flags.settings.split(',').map((setting) => ({ tool: 'torch', setting, windowBatch })),
  ]);
  const rows = runs.map((each) => ({ network, ...each, seconds: [], cpuSeconds: [], peakBytes: 0 }));
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const row of rows) {
      const { seconds = [], cpuSeconds = [], peakBytes = 0, ...facts } = await measured(network, row);
      row.seconds.push(...seconds);
      row.cpuSeconds.push(...cpuSeconds);
      row.peakBytes = Math.max(row.peakBytes, peakBytes);
      Object.assign(row, facts);
      process.stderr.write(
        `${network} ${row.tool} ${row.setting} batch ${row.windowBatch}: ${facts.failed ?? seconds.map((s) => s.toFixed(2)).join(' ')}\n`,
      );
    }
  }
  results.push(...rows);
}

const best = (network, tool) =>
  results
    .filter((row) => row.network === network && row.tool === tool && row.seconds.length > 0)
    .toSorted((a, b) => median(a.seconds) - median(b.seconds))[0];
const line = ({ network, tool, setting, windowBatch, seconds, cpuSeconds, peakBytes, failed }) =>
  seconds.length === 0
    ? `| ${network} | ${tool} ${setting} | ${windowBatch} | failed: ${failed} | | | |`
    : `| ${network} | ${tool} ${setting} | ${windowBatch} | ${median(seconds).toFixed(2)} | ${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} | ${median(cpuSeconds).toFixed(1)} | ${(peakBytes / 1e9).toFixed(2)} |`;
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; ${job.size}^3 voxels, windows of ${job.window}^3, overlap 0.5, ${job.outChannels} channels out, ${job.precision}`,
);
console.log(
  [
    '| network | tool | windows at once | median s | range s | processor s | peak GB |',
    '|---|---|---|---|---|---|---|',
    ...results.map(line),
  ].join('\n'),
);
for (const network of flags.networks.split(',')) {
  const [ours, theirs] = [best(network, 'hybridmim'), best(network, 'torch')];
  if (!ours || !theirs) continue;
  const [ratio, cpuRatio] = [
    median(ours.seconds) / median(theirs.seconds),
    median(ours.cpuSeconds) / median(theirs.cpuSeconds),
  ];
  console.log(
    `${network}: ${ratio.toFixed(3)} of the time of torch ${theirs.setting}, batch ${theirs.windowBatch} (${cpuRatio.toFixed(3)} of its processor time); ${(ours.peakBytes / theirs.peakBytes).toFixed(3)} of its peak memory`,
  );
}
if (flags.out) writeFileSync(flags.out, `${JSON.stringify({ schema: 1, job, results }, null, 1)}\n`);
process.reallyExit(0);
