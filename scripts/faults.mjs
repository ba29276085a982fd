// Spoils inputs, disks, processes and bits on purpose and compares what follows with the truth. See docs/reliability.md.
// Usage: node scripts/faults.mjs --kind fuzz|bits|kills|disks [--format nifti,...] [--command predict] [--count 1000] [--seed 1] [--json]
// With --results FILE, fuzz adds a line to FILE for every 500 inputs, and goes on after those that stand there.
import { parseArgs } from 'node:util';
import { bits } from './faults/bits.mjs';
import { disks } from './faults/disks.mjs';
import { fuzzInParts } from './faults/fuzz.mjs';
import { kills } from './faults/kills.mjs';
import { targets } from './faults/targets.mjs';

const { values: flags } = parseArgs({
  options: {
    kind: { type: 'string' },
    format: { type: 'string' },
    command: { type: 'string' },
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    keep: { type: 'boolean', default: false },
    results: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [count, seed, first] = [flags.count, flags.seed, flags.first].map(Number);
if (![count, seed, first].every(Number.isSafeInteger))
  throw new Error('--count, --seed and --first are whole numbers');
const tell = (text) => process.stderr.write(`${text}\n`);

const kinds = {
  fuzz: async () => {
    const formats = flags.format?.split(',') ?? Object.keys(targets);
    for (const format of formats)
      if (!(format in targets))
        throw new Error(`--format ${format}: there are ${Object.keys(targets).join(', ')}`);
    return fuzzInParts({ formats, count, seed, first, keep: flags.keep, results: flags.results, tell });
  },
  bits: () =>
    bits({
      count,
      seed,
      onProgress: ({ faults, ...row }) => tell(`${JSON.stringify(row)} ${faults.length} faults`),
    }),
  kills: () =>
    kills({
      count,
      seed,
      only: flags.command,
      onProgress: (round, all) =>
        tell(`${round}/${count}: ${all.flatMap(({ faults }) => faults).length} faults`),
    }),
  disks: async () => {
    const found = await disks({
      count,
      only: flags.command,
      onProgress: ({ faults, ...row }) => tell(`${JSON.stringify(row)} ${faults.length} faults`),
    });
    if (found === undefined) tell('skipped: the system lets nobody but its owner mount a disk');
    return found ?? [];
  },
};
if (!(flags.kind in kinds)) throw new Error(`--kind is one of ${Object.keys(kinds).join(', ')}`);
const rows = await kinds[flags.kind]();
const faults = rows.flatMap((row) => row.faults);
if (flags.json) process.stdout.write(`${JSON.stringify({ kind: flags.kind, seed, rows }, null, 1)}\n`);
for (const { input, why, ...where } of faults.slice(0, 40))
  tell(`fault ${JSON.stringify(where)} ${input ?? ''}: ${why}`);
process.exitCode = faults.length > 0 ? 1 : 0;
