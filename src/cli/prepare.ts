import { checkAndReport } from './check-report.js';
import type { Command } from './context.js';
import { countingBar } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly datasets: string;
  readonly out: string;
  readonly only: readonly string[] | undefined;
  readonly workers: number;
  readonly check: boolean;
  readonly json: boolean;
}

export const prepareCommand: Command<Flags> = {
  command: 'prepare',
  describe: 'Bring scans to one orientation, spacing and intensity, in a cache that crops are read from',
  flags: (yargs) =>
    yargs
      .option('datasets', { type: 'string', demandOption: true, requiresArg: true, describe: 'dataset index; datasets.example.json shows one' })
      .option('out', { type: 'string', default: 'prepared', requiresArg: true, describe: 'folder to write' })
      .option('only', { type: 'string', array: true, describe: 'names of datasets of the index; the others stay as they are' })
      .option('workers', { type: 'number', default: 1, requiresArg: true, describe: 'threads; each holds one case in memory' })
      .option('check', { type: 'boolean', default: false, describe: 'only say what is there and what is odd about it; nothing is written' })
      .option('json', { type: 'boolean', default: false, describe: 'print the result as JSON on standard output' })
      .example('$0 prepare --datasets datasets.json --check', 'before the first call: what is missing, damaged or odd')
      .example('$0 prepare --datasets datasets.json --out prepared --workers 4', 'a second call redoes only what changed'),
  run: async ({ datasets, out, only, workers, check, json }, context) => {
    requireWholeNumber('--workers', workers, 1);
    if (check) return checkAndReport({ datasetsFile: datasets, workers, ...(only && { only }) }, json, context);
    const { terminal, signal, result } = context;
    const { prepareDatasets } = await import('../dataset/index.js');
    const { preparedTable } = await import('../experiment/index.js');
    const count = countingBar(terminal, 'prepare');
    const prepared = await prepareDatasets({
      datasetsFile: datasets,
      out,
      workers,
      ...(only && { only }),
      signal: signal(),
      onProgress: ({ done, total, id, state, reason }) => {
        if (reason !== undefined) terminal.line(`skipped ${id}: ${reason}`);
        count(done, total, `${id} ${state}`);
      },
    });
    const { indexFile, index, unchanged, skipped, notes } = prepared;
    const counts = `${prepared.prepared} prepared, ${unchanged} unchanged, ${skipped.length} skipped: ${indexFile}`;
    const reasons = skipped.map(({ id, reason }) => `skipped ${id}: ${reason}`);
    const record = { schema: 1, indexFile, prepared: prepared.prepared, unchanged, skipped, notes, datasets: index.datasets };
    result(record, [preparedTable(index), ...notes.map((note) => `note ${note}`), ...reasons, counts].join('\n'), json);
    process.exitCode = prepared.exitCode;
  },
};
