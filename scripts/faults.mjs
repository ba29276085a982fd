// Spoils inputs, disks, processes and bits on purpose and compares what follows with the truth. See docs/reliability.md.
// Usage: node scripts/faults.mjs --kind fuzz|line|bits|kills|ranks|disks [--format nifti,...] [--command predict] [--count 1000] [--seed 1] [--json]
// fuzz calls the readers, line the commands. With --results FILE they add a line to FILE for every part of the inputs, and
// go on after what stands there. --steps is of the run whose checkpoints bits turns.
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bits } from './faults/bits.mjs';
import { lineFormats, openCommandLine, setSize } from './faults/command-line.mjs';
import { disks } from './faults/disks.mjs';
import { openReader } from './faults/fuzz.mjs';
import { inParts } from './faults/in-parts.mjs';
import { kills } from './faults/kills.mjs';
import { ranks } from './faults/ranks.mjs';
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
    steps: { type: 'string', default: '6' },
    json: { type: 'boolean', default: false },
  },
});
const [count, seed, first] = [flags.count, flags.seed, flags.first].map(Number);
if (![count, seed, first].every(Number.isSafeInteger))
  throw new Error('--count, --seed and --first are whole numbers');
const tell = (text) => process.stderr.write(`${text}\n`);

const inputs = { count, seed, first, results: flags.results, tell };
const tellRow = ({ faults, ...row }) =>
  tell([`${JSON.stringify(row)} ${faults.length} faults`, ...faults.map(({ why }) => why)].join('\n  '));

const kinds = {
  fuzz: async () => {
    const formats = flags.format?.split(',') ?? Object.keys(targets);
    for (const format of formats)
      if (!(format in targets))
        throw new Error(`--format ${format}: there are ${Object.keys(targets).join(', ')}`);
    const reader = openReader({ seed, keep: flags.keep });
    try {
      return await inParts({ ...inputs, work: reader.give, partLength: 500, formats });
    } finally {
      reader.close();
    }
  },
  line: async () => {
    const formats = flags.format?.split(',') ?? lineFormats;
    for (const format of formats)
      if (!lineFormats.includes(format)) throw new Error(`--format ${format}: there are ${lineFormats}`);
    const line = await openCommandLine();
    try {
      return await inParts({ ...inputs, work: line.give, partLength: setSize, formats });
    } finally {
      line.close();
    }
  },
  bits: () =>
    bits({
      count,
      seed,
      steps: Number(flags.steps),
      results: flags.results,
      onProgress: tellRow,
    }),
  kills: () =>
    kills({
      count,
      seed,
      first,
      only: flags.command,
      onProgress: (round, all) => {
        tell(`${JSON.stringify(round)} ${all.flatMap(({ faults }) => faults).length} faults`);
        if (flags.results) appendFileSync(flags.results, `${JSON.stringify(round)}\n`);
      },
    }),
  ranks: () => ranks({ count, seed, first, onProgress: tellRow }),
  disks: async () => {
    const found = await disks({
      count,
      only: flags.command,
      onProgress: tellRow,
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
