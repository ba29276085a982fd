import { join } from 'node:path';
import { itemAt } from '../at.js';
import { UsageError } from '../errors.js';
import type { Command } from './context.js';
import { launchCell } from './launch-cell.js';
import { showExperiment } from './show-experiment.js';

interface Flags {
  readonly config: string;
  readonly set: readonly string[];
  readonly out: string | undefined;
  readonly jobs: number;
  readonly only: string | undefined;
  readonly 'only-prepare': boolean;
  readonly 'dry-run': boolean;
  readonly slurm: string | undefined;
  readonly json: boolean;
}

export const experimentCommand: Command<Flags> = {
  command: 'experiment',
  describe: 'Run every cell of an experiment, resumable, and fill its table',
  flags: (yargs) =>
    yargs
      .option('config', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'YAML file, or the name of a shipped one, such as experiment/table1-btcv',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'override a setting, such as pretrain.train.steps=2000; may be repeated',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'folder to write; default runs/<name of the experiment>',
      })
      .option('jobs', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe: 'runs at a time, each in a process of its own',
      })
      .option('only', {
        type: 'string',
        requiresArg: true,
        describe: 'run this cell alone, as --dry-run names it',
      })
      .option('only-prepare', {
        type: 'boolean',
        default: false,
        describe: 'end after the preparation of the data',
      })
      .option('dry-run', {
        type: 'boolean',
        default: false,
        describe: 'show the runs, with time and memory from a measured step',
      })
      .option('slurm', {
        type: 'string',
        requiresArg: true,
        describe: 'write SLURM scripts into this folder instead of running',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the results as JSON on standard output',
      })
      .example('$0 experiment --config experiment/table1-btcv --dry-run', 'what the table takes')
      .example('$0 experiment --config real-transfer', 'the same command goes on with an interrupted one'),
  run: async (flags, context) => {
    const { config: file, set, jobs, only, slurm, json } = flags;
    if (!Number.isInteger(jobs) || jobs < 1)
      throw new UsageError(`--jobs is ${jobs}, but must be a whole number of at least 1`, {
        field: '--jobs',
      });
    const { experimentConfig, loadConfig } = await import('../config/index.js');
    const config = await loadConfig(experimentConfig, file, set);
    const out = flags.out ?? join('runs', config.name);
    const command = [
      'experiment',
      '--config',
      file,
      ...set.flatMap((override) => ['--set', override]),
      '--out',
      out,
    ];
    if (flags['dry-run']) return dryRun(config, out, json, context);
    if (slurm !== undefined) return writeSlurm(config, out, slurm, command, json, context);
    if (flags['only-prepare']) {
      const { prepareExperiment } = await import('../experiment/index.js');
      const prepared = await prepareExperiment({ config, out, signal: context.signal() });
      return context.result({ schema: 1, prepared }, `prepared: ${prepared}`, json);
    }
    const launch = jobs > 1 ? launchCell(command, context.terminal, context.signal()) : undefined;
    await showExperiment({ config, out, json, only, jobs, launch }, context);
  },
};

type Config = Parameters<typeof showExperiment>[0]['config'];
type ShownContext = Parameters<typeof showExperiment>[1];

async function dryRun(
  config: Config,
  out: string,
  json: boolean,
  { terminal, signal, result }: ShownContext,
): Promise<void> {
  const { estimateCells, estimateTable, planCells, preparedFolder } = await import('../experiment/index.js');
  const prepared = preparedFolder(out);
  const progress = {
    onMeasure: (what: string, number: number, total: number) =>
      terminal.line(`measuring step ${number} of ${total}: ${what}`),
    onMeasured: (step: string) => terminal.line(`  ${step}`),
  };
  const cells = await estimateCells(config, planCells(config, prepared), prepared, progress, signal());
  result(
    { schema: 1, name: config.name, cells },
    `${config.name}: ${cells.length} runs\n\n${estimateTable(cells)}`,
    json,
  );
}

async function writeSlurm(
  config: Config,
  out: string,
  folder: string,
  command: readonly string[],
  json: boolean,
  { result }: ShownContext,
): Promise<void> {
  const { planCells, preparedFolder, writeSlurmScripts } = await import('../experiment/index.js');
  const cells = planCells(config, preparedFolder(out));
  const submit = await writeSlurmScripts({
    name: config.name,
    cells,
    folder,
    command: [process.execPath, itemAt(process.argv, 1), ...command],
  });
  result({ schema: 1, submit }, `${cells.length} runs; submit them with ${submit}`, json);
}
