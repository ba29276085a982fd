import { join } from 'node:path';
import type { Command } from './context.js';
import { showExperiment } from './show-experiment.js';

interface Flags {
  readonly config: string;
  readonly out: string | undefined;
  readonly json: boolean;
}

export const experimentCommand: Command<Flags> = {
  command: 'experiment',
  describe: 'Run every arm and seed of an experiment, resumable, and fill its table',
  flags: (yargs) =>
    yargs
      .option('config', { type: 'string', demandOption: true, requiresArg: true, describe: 'YAML file; configs/experiment has some' })
      .option('out', { type: 'string', requiresArg: true, describe: 'folder to write; default runs/<name of the experiment>' })
      .option('json', { type: 'boolean', default: false, describe: 'print the results as JSON on standard output' })
      .example('$0 experiment --config configs/experiment/real-transfer.yaml', 'the same command goes on with an interrupted one'),
  run: async ({ config, out, json }, context) => {
    const { experimentConfig, loadConfig } = await import('../config/index.js');
    const settings = await loadConfig(experimentConfig, config);
    await showExperiment({ config: settings, out: out ?? join('runs', settings.name), json }, context);
  },
};
