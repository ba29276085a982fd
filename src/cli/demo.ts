import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { itemAt } from '../at.js';
import type { Command } from './context.js';
import { showExperiment } from './show-experiment.js';

interface Flags {
  readonly out: string;
  readonly json: boolean;
}

/** As many as the configuration names. */
const PHANTOMS = 13;

const configFile = fileURLToPath(new URL('../../configs/experiment/demo.yaml', import.meta.url));

export const demoCommand: Command<Flags> = {
  command: 'demo',
  describe:
    'The whole pipeline on generated CT phantoms, in minutes: prepare, pre-train, fine-tune, evaluate',
  flags: (yargs) =>
    yargs
      .option('out', {
        type: 'string',
        default: 'demo-output',
        requiresArg: true,
        describe: 'folder to write; what is finished there is kept',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the results as JSON on standard output',
      }),
  run: async ({ out, json }, context) => {
    const { experimentConfig, loadConfig } = await import('../config/index.js');
    const { writePhantoms } = await import('../phantoms/index.js');
    const config = await loadConfig(experimentConfig, configFile);
    const folder = join(out, 'phantoms');
    context.terminal.line(
      `CT phantoms with organs of differing shape, contrast, noise and spacing: ${folder}`,
    );
    await writePhantoms(folder, PHANTOMS, itemAt(config.seeds, 0));
    await showExperiment({ config, out, json }, context);
  },
};
