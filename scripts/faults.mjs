// Spoils inputs, disks, processes and bits on purpose and compares what follows with the truth. See docs/reliability.md.
// Usage: node scripts/faults.mjs --kind fuzz|bits|kills|disks [--format nifti,...] [--command predict] [--count 1000] [--seed 1] [--json]
import { parseArgs } from 'node:util';
import { bits } from './faults/bits.mjs';
import { disks } from './faults/disks.mjs';
import { fuzz } from './faults/fuzz.mjs';
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
    const rows = [];
    for (const format of formats) {
      if (!(format in targets))
        throw new Error(`--format ${format}: there are ${Object.keys(targets).join(', ')}`);
      const onProgress = (done, { refused, accepted, faults }) => {
        if (done % 500 === 0)
          tell(
            `${format} ${done}/${count}: ${refused} refused, ${accepted} accepted, ${faults.length} faults`,
          );
      };
      const row = await fuzz({ format, count, seed, first, keep: flags.keep, onProgress });
      rows.push(row);
      const { refused, accepted, slowest, memory } = row;
      tell(
        `${format}: ${count} inputs, ${refused} refused, ${accepted} accepted, ${row.faults.length} faults, ${slowest.toFixed(1)} s the slowest, ${(memory / 2 ** 20).toFixed(0)} MiB the peak`,
      );
    }
    return rows;
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
