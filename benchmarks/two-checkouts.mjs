// Training steps and windows of two checkouts of this project by turns, each measurement in a process of its own.
// node benchmarks/two-checkouts.mjs BEFORE AFTER [--rounds 5] [--networks swin-unetr,unet]   both checkouts built (npm run build)
// Prints, a network, the ratio AFTER / BEFORE of the best time of each round (median and range over the rounds), and of the peak memory.
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, networks: { type: 'string', default: 'swin-unetr,unet' } },
});
const [before, after] = positionals;
if (!after) throw new Error('name two checkouts: node benchmarks/two-checkouts.mjs BEFORE AFTER');

const settings = {
  unet: { name: 'unet', features: [32, 32, 64, 128, 256, 32] },
  'swin-unetr': { name: 'swin-unetr', featureSize: 24 },
  unetr: { name: 'unetr', imageSize: [64, 64, 64] },
  'seg-res-net': { name: 'seg-res-net' },
};
const jobs = {
  step: ['network-step.mjs', { precision: 'float32', crop: 64, classes: 2, steps: 8, threads: 2 }, ({ stepSeconds }) => Math.min(...stepSeconds)],
  window: [
    'inference-job.mjs',
    { size: 96, window: 64, outChannels: 3, windowBatch: 1, precision: 'float32', repeats: 4, threads: 2 },
    ({ cpuSeconds, windows }) => Math.min(...cpuSeconds) / windows,
  ],
};
const run = (checkout, script, options) => {
  const output = execFileSync('node', [`benchmarks/${script}`, JSON.stringify(options)], {
    cwd: checkout,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.trim().split('\n').at(-1));
};
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

for (const name of values.networks.split(',')) {
  for (const [job, [script, options, seconds]] of Object.entries(jobs)) {
    const rounds = Array.from({ length: Number(values.rounds) }, (_, i) => {
      const order = i % 2 === 0 ? [before, after] : [after, before];
      const found = new Map(order.map((checkout) => [checkout, run(checkout, script, { ...options, network: settings[name] })]));
      return { before: found.get(before), after: found.get(after) };
    });
    const ratios = rounds.map((round) => seconds(round.after) / seconds(round.before));
    const memory = median(rounds.map((round) => round.after.peakBytes / round.before.peakBytes));
    const best = Math.min(...rounds.map((round) => seconds(round.after))) / Math.min(...rounds.map((round) => seconds(round.before)));
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(3));
    console.log(
      `${name} ${job}: median ${median(ratios).toFixed(3)} (${least} to ${most}), best against best ${best.toFixed(3)}; memory ${memory.toFixed(3)}`,
    );
  }
}
