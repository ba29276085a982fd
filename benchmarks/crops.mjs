// Crops of the loaders of two checkouts, some of each by turns, so that both meet the same machine; each in one process, by one thread.
// node benchmarks/crops.mjs BEFORE AFTER [--turns 12] [--only REGEX]   both checkouts built (npm run build); one checkout may be given twice
// Prints, a kind of crop, the processor time of a crop (median over the turns), the ratio BEFORE / AFTER of crops a second and core,
// what is read, and whether every crop of both was the same bit for bit. Ends with 1 where one was not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { median } from './measured.mjs';

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { turns: { type: 'string', default: '12' }, only: { type: 'string', default: '' } },
});
const checkouts = positionals.map((checkout) => resolve(checkout));
if (checkouts.length !== 2) throw new Error('name two checkouts: node benchmarks/crops.mjs BEFORE AFTER');

const jobs = [
  { name: '96^3', recipe: 'none', channels: 1, side: 96, cases: 100, crops: 8 },
  { name: '96^3 of 100,000 cases', recipe: 'none', channels: 1, side: 96, cases: 100_000, crops: 8 },
  { name: '96^3 with labels, augmented', recipe: 'fine-tuning', channels: 1, side: 96, cases: 100, crops: 8 },
  { name: '96^3 Models Genesis', recipe: 'models-genesis', channels: 1, side: 96, cases: 100, crops: 4 },
  { name: '96^3 TransVW', recipe: 'transvw', channels: 1, side: 96, cases: 100, crops: 4 },
  {
    name: '96^3 of scans on their own grid',
    recipe: 'none',
    own: true,
    channels: 1,
    side: 96,
    cases: 100,
    crops: 8,
  },
  {
    name: '128^3 x 4 of scans on their own grid',
    recipe: 'none',
    own: true,
    channels: 4,
    side: 128,
    cases: 100,
    crops: 3,
  },
  { name: '128^3 x 4', recipe: 'none', channels: 4, side: 128, cases: 100, crops: 3 },
  {
    name: '128^3 x 4 Models Genesis',
    recipe: 'models-genesis',
    channels: 4,
    side: 128,
    cases: 100,
    crops: 2,
  },
].filter(({ name }) => new RegExp(flags.only).test(name));

/** A process of one checkout that makes some crops whenever it is asked. */
function opened(checkout, folder, job) {
  const script = new URL('crops-worker.mjs', import.meta.url).pathname;
  const worker = spawn('node', [script, checkout, folder, JSON.stringify(job)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: worker.stdout })[Symbol.asyncIterator]();
  return {
    async turn() {
      worker.stdin.write('\n');
      const { value, done } = await lines.next();
      if (done) throw new Error(`${checkout}: the process of ${job.name} ended early`);
      return JSON.parse(value);
    },
    async close() {
      worker.kill('SIGKILL'); // its thread sleeps in a read and handles nothing
      await once(worker, 'exit');
    },
  };
}

const WARM_UP = 2;
const folders = checkouts.map(() => mkdtempSync(join(tmpdir(), 'hybridmim-crops-')));
console.log(`${cpus()[0].model}, ${cpus().length} cores; processor time, one thread each`);
console.log(
  '| crop | ms before | ms after | crops a second and core after | ratio (quarters) | MB read before | MB read after | bits |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const job of jobs) {
  const pair = checkouts.map((checkout, i) => opened(checkout, folders[i], job));
  const turns = [];
  for (let i = 0; i < WARM_UP + Number(flags.turns); i++) {
    const found = [];
    for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) found[which] = await pair[which].turn();
    turns.push(found);
  }
  await Promise.all(pair.map((one) => one.close()));
  const same = turns.every(([before, after]) => before.digest === after.digest);
  if (!same) process.exitCode = 1;
  const timed = turns.slice(WARM_UP);
  const of = (which, key) => median(timed.map((turn) => turn[which][key]));
  const ratios = timed
    .map(([before, after]) => before.milliseconds / after.milliseconds)
    .sort((a, b) => a - b);
  const quarter = (part) => ratios[Math.floor(part * (ratios.length - 1))].toFixed(2);
  const cells = [
    job.name,
    of(0, 'milliseconds').toFixed(1),
    of(1, 'milliseconds').toFixed(1),
    (1000 / of(1, 'milliseconds')).toFixed(0),
    `${median(ratios).toFixed(2)} (${quarter(0.25)} to ${quarter(0.75)})`,
    (of(0, 'bytes') / 1e6).toFixed(1),
    (of(1, 'bytes') / 1e6).toFixed(1),
    same ? 'same' : 'DIFFER',
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
for (const folder of folders) rmSync(folder, { recursive: true });
