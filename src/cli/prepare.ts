import type { PreparePlan, PrepareProgress, ShardResult } from '../dataset/index.js';
import { UsageError } from '../errors.js';
import { checkAndReport } from './check-report.js';
import type { Command } from './context.js';
import { countingBar } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly datasets: string;
  readonly out: string;
  readonly only: readonly string[] | undefined;
  readonly workers: number | undefined;
  readonly 'split-file': string | undefined;
  readonly shard: string | undefined;
  readonly merge: boolean;
  readonly check: boolean;
  readonly json: boolean;
}

export const prepareCommand: Command<Flags> = {
  command: 'prepare',
  describe: 'Bring scans to one orientation, spacing and intensity, in a cache that crops are read from',
  flags: (yargs) =>
    yargs
      .option('datasets', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'dataset index; datasets.example.json shows one',
      })
      .option('out', { type: 'string', default: 'prepared', requiresArg: true, describe: 'folder to write' })
      .option('only', {
        type: 'string',
        array: true,
        describe: 'names of datasets of the index; the others stay as they are',
      })
      .option('workers', {
        type: 'number',
        requiresArg: true,
        describe: 'threads; absent: as many as cores and free memory allow',
      })
      .option('split-file', {
        type: 'string',
        requiresArg: true,
        describe: 'JSON {dataset: {training: [case], validation: [case]}}; the rest is drawn',
      })
      .option('shard', {
        type: 'string',
        requiresArg: true,
        describe: 'do one part of the work, such as 2/16; --merge ends it',
      })
      .option('merge', {
        type: 'boolean',
        default: false,
        describe: 'write the index over what the shards have prepared, when all of it is there',
      })
      .option('check', {
        type: 'boolean',
        default: false,
        describe: 'only say what is there and what is odd about it; nothing is written',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the result as JSON on standard output',
      })
      .example(
        '$0 prepare --datasets datasets.json --check',
        'before the first call: what is missing, damaged or odd',
      )
      .example('$0 prepare --datasets datasets.json --out prepared', 'a second call redoes only what changed')
      .example(
        '$0 prepare --datasets datasets.json --shard 2/16',
        'one of sixteen machines; then once with --merge',
      ),
  run: async (
    { datasets, out, only, workers, 'split-file': splitFile, shard, merge, check, json },
    context,
  ) => {
    const { terminal, signal, result } = context;
    const { describePlan, mergeShards, parseShard, prepareDatasets, prepareShard } = await import(
      '../dataset/index.js'
    );
    const { lossTable, preparedTable, writePreparedPictures } = await import('../report-sources/index.js');
    if (workers !== undefined) requireWholeNumber('--workers', workers, 1);
    if (check && (merge || shard !== undefined))
      throw new UsageError('--check looks at everything: leave --shard and --merge out', {
        field: '--check',
      });
    if (check)
      return checkAndReport(
        { datasetsFile: datasets, workers: workers ?? 1, splitFile, ...(only && { only }) },
        json,
        context,
      );
    if (merge && shard !== undefined)
      throw new UsageError('--merge and --shard exclude each other: merge when every shard is done', {
        field: '--merge',
      });
    const count = countingBar(terminal, 'prepare');
    const choice = { datasetsFile: datasets, out, splitFile, ...(only && { only }) };
    const options = () => ({
      ...choice,
      workers,
      signal: signal(),
      onPlan: (plan: PreparePlan) => terminal.line(describePlan(plan)),
      onProgress: ({ done, total, id, state, reason, lost = [] }: PrepareProgress) => {
        if (reason !== undefined) terminal.line(`skipped ${id}: ${reason}`);
        for (const sentence of lost) terminal.line(`lost of the label of ${id}: ${sentence}`);
        count(done, total, `${id} ${state}`);
      },
    });
    const countsOf = ({ prepared, unchanged, skipped }: ShardResult) =>
      `${prepared} prepared, ${unchanged} unchanged, ${skipped.length} skipped`;
    if (shard !== undefined) {
      const done = await prepareShard(options(), parseShard(shard));
      const { prepared, unchanged, skipped } = done;
      const next = `${countsOf(done)}: shard ${shard}; when all are done, run the command with --merge in place of --shard`;
      result({ schema: 1, shard, prepared, unchanged, skipped }, next, json);
      process.exitCode = done.exitCode;
      return;
    }
    const prepared = merge ? await mergeShards(choice) : await prepareDatasets(options());
    const { indexFile, index, unchanged, skipped, notes, losses } = prepared;
    const pictures = await writePreparedPictures(out, index, prepared.prepared > 0 || merge);
    const reasons = skipped.map(({ id, reason }) => `skipped ${id}: ${reason}`);
    const record = {
      schema: 1,
      indexFile,
      prepared: prepared.prepared,
      unchanged,
      skipped,
      notes,
      losses,
      pictures,
      datasets: index.datasets,
    };
    const lines = [
      ...notes.map((note) => `note ${note}`),
      ...reasons,
      ...pictures.map((file) => `picture: ${file}`),
    ];
    const table = lossTable(index);
    const tables = [preparedTable(index), ...(table === undefined ? [] : ['', table, ''])];
    result(record, [...tables, ...lines, `${countsOf(prepared)}: ${indexFile}`].join('\n'), json);
    process.exitCode = prepared.exitCode;
  },
};
