import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from './context.js';
import { showExperiment } from './show-experiment.js';

interface Flags {
  readonly out: string;
  readonly json: boolean;
}

const configFile = (name: string): string =>
  fileURLToPath(new URL(`../../configs/experiment/${name}.yaml`, import.meta.url));

/**
 * The real task of the demo in a folder of real scans, as `hybridmim download msd-hippocampus` lays it out.
 */
const realTask = (folder: string): string =>
  join(folder, 'msd-hippocampus', 'Task04_Hippocampus', 'dataset.json');

export const demoCommand: Command<Flags> = {
  command: 'demo',
  describe:
    'The whole pipeline in minutes, on generated CT phantoms or on real scans: prepare, pre-train, fine-tune, evaluate',
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
    const real = process.env.HYBRIDMIM_REAL_DATA;
    const isReal = real !== undefined && existsSync(realTask(real));
    context.terminal.line(
      isReal
        ? `brain MR of real patients, found by HYBRIDMIM_REAL_DATA: ${join(real, 'msd-hippocampus')}`
        : `CT phantoms with organs of differing shape, contrast, noise and spacing: ${join(out, 'phantoms')}` +
            ' (real patients: hybridmim download msd-hippocampus, see docs/demo.md)',
    );
    const config = await loadConfig(experimentConfig, configFile(isReal ? 'demo-hippocampus' : 'demo'));
    await showExperiment({ config, out, json }, context);
  },
};
