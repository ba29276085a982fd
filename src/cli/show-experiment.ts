import { join, relative } from 'node:path';
import type { ExperimentConfig } from '../config/index.js';
import { WorkError } from '../errors.js';
import type { ExperimentOptions } from '../experiment/index.js';
import type { Context } from './context.js';
import { runDisplay } from './run-display.js';
import { countingBar } from './terminal.js';

/** An experiment to run, and how its cells are run. */
interface ShownExperiment extends Pick<ExperimentOptions, 'only' | 'jobs' | 'launch'> {
  readonly config: ExperimentConfig;
  readonly out: string;
  readonly json: boolean;
}

/** Runs an experiment with a bar for what goes on; prints its table and the path of its picture. */
export async function showExperiment(
  { config, out, json, ...cells }: ShownExperiment,
  { terminal, signal, result }: Context,
): Promise<void> {
  const { experimentMarkdown, runExperiment } = await import('../experiment/index.js');
  const { pictureFolder } = await import('../training/index.js');
  const count = countingBar(terminal, 'prepare');
  const ended = await runExperiment({
    config,
    out,
    ...cells,
    onPrepare: ({ done, total, id, state }) => count(done, total, `${id} ${state}`),
    watchRun: (name, folder) => runDisplay(terminal, name, folder),
    onNote: (note) => terminal.line(note),
    signal: signal(),
  });
  const text = [
    '',
    ended.runs.length > 0
      ? `${ended.name}: Dice in %, HD95 in mm, on the ${config.evaluate} cases`
      : ended.name,
    '',
    experimentMarkdown(ended),
    ...(ended.plot === null ? [] : ['', `figure: ${relative('.', ended.plot)}`]),
    ...ended.pretrainings.map(
      ({ title, run }) => `\nreconstructions of ${title}: ${relative('.', join(run, pictureFolder))}`,
    ),
    ...(ended.picture === null ? [] : ['', `picture: ${relative('.', ended.picture)}`]),
  ].join('\n');
  result(ended, text, json);
  const { failed } = ended;
  const [first] = failed;
  if (first === undefined) return;
  const failure = `${failed.length} of the runs of ${ended.name} failed, the first, ${first.title}: ${first.reason}`;
  throw new WorkError(`${failure} (the same command tries them again)`);
}
