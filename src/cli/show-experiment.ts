import { relative } from 'node:path';
import type { ExperimentConfig } from '../config/index.js';
import type { Context } from './context.js';
import { runDisplay } from './run-display.js';
import { countingBar } from './terminal.js';

/** Runs an experiment with a bar for what goes on; prints its table and the path of its picture. */
export async function showExperiment(
  { config, out, json }: { readonly config: ExperimentConfig; readonly out: string; readonly json: boolean },
  { terminal, signal, result }: Context,
): Promise<void> {
  const { experimentTable, runExperiment } = await import('../experiment/index.js');
  const count = countingBar(terminal, 'prepare');
  const ended = await runExperiment({
    config,
    out,
    onPrepare: ({ done, total, id, state }) => count(done, total, `${id} ${state}`),
    watchRun: (name, folder) => runDisplay(terminal, name, folder),
    onNote: (note) => terminal.line(note),
    signal: signal(),
  });
  const text = [
    '',
    `${ended.name}: Dice in %, HD95 in mm, on the ${config.evaluate} cases`,
    '',
    experimentTable(ended),
    '',
    `picture: ${relative('.', ended.picture)}`,
  ].join('\n');
  result(ended, text, json);
}
