// Training steps and windows of two checkouts of this project, one step of each by turns, so that both meet the same machine.
// node benchmarks/two-checkouts.mjs BEFORE AFTER [--turns 30] [--networks swin-unetr,unet] [--kinds step,window]   both checkouts built (npm run build)
// Prints, a network, the ratio AFTER / BEFORE of the time (best against best, and the median over the turns with the half of the
// turns around it), of the processor time of all threads, and of the most memory held.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    turns: { type: 'string', default: '30' },
    networks: { type: 'string', default: 'swin-unetr,unet,unetr,seg-res-net' },
    kinds: { type: 'string', default: 'step,window' },
  },
});
const [before, after] = positionals;
if (!after) throw new Error('name two checkouts: node benchmarks/two-checkouts.mjs BEFORE AFTER');

const settings = {
  unet: { name: 'unet', features: [32, 32, 64, 128, 256, 32] },
  'swin-unetr': { name: 'swin-unetr', featureSize: 24 },
  unetr: { name: 'unetr', imageSize: [64, 64, 64] },
  'seg-res-net': { name: 'seg-res-net' },
};

/** A process of one checkout that does one step or window whenever it is asked. */
function opened(checkout, job) {
  const script = new URL('two-checkouts-worker.mjs', import.meta.url).pathname;
  const worker = spawn('node', [script, checkout, JSON.stringify(job)], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: worker.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${checkout}: the process of ${JSON.stringify(job)} ended early`);
    return JSON.parse(value);
  };
  return {
    async turn() {
      worker.stdin.write('\n');
      return answer();
    },
    async close() {
      worker.kill('SIGKILL'); // its thread sleeps in a read and handles nothing
      await once(worker, 'exit');
    },
  };
}

const sorted = (numbers) => numbers.toSorted((a, b) => a - b);
const quantile = (numbers, part) => sorted(numbers)[Math.floor(part * (numbers.length - 1))].toFixed(3);
const WARM_UP = 2;

for (const name of values.networks.split(',')) {
  for (const kind of values.kinds.split(',')) {
    const job = { kind, network: settings[name] };
    const [first, second] = [opened(before, job), opened(after, job)];
    for (let i = 0; i < WARM_UP; i++) for (const one of [first, second]) await one.turn();
    const turns = [];
    for (let i = 0; i < Number(values.turns); i++) {
      const found = new Map();
      for (const one of i % 2 === 0 ? [first, second] : [second, first]) found.set(one, await one.turn());
      turns.push({ before: found.get(first), after: found.get(second) });
    }
    await Promise.all([first.close(), second.close()]);
    const best = (key) =>
      Math.min(...turns.map((turn) => turn.after[key])) / Math.min(...turns.map((turn) => turn.before[key]));
    const ratios = turns.map((turn) => turn.after.seconds / turn.before.seconds);
    const spread = `median ${quantile(ratios, 0.5)} (${quantile(ratios, 0.25)} to ${quantile(ratios, 0.75)})`;
    const memory = turns.at(-1).after.peakBytes / turns.at(-1).before.peakBytes;
    console.log(
      `${name} ${kind}: best ${best('seconds').toFixed(3)}, ${spread}; processor ${best('cpuSeconds').toFixed(3)}; memory ${memory.toFixed(3)}`,
    );
  }
}
