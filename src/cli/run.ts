import { UsageError } from '../errors.js';
import type { Command } from './context.js';
import { runDisplay } from './run-display.js';
import { countingBar } from './terminal.js';

interface Flags {
  readonly project: string;
  readonly folds: number | undefined;
  readonly 'share-pretraining': boolean;
  readonly set: readonly string[];
  readonly json: boolean;
}

export const runCommand: Command<Flags> = {
  command: 'run <project>',
  describe: 'Carry a plan out: prepare, pre-train, fine-tune, evaluate, report; the same command goes on',
  flags: (yargs) =>
    yargs
      .positional('project', { type: 'string', demandOption: true, describe: 'folder that plan wrote' })
      .option('folds', {
        type: 'number',
        requiresArg: true,
        describe: 'cross-validation: fine-tune and evaluate as many times, each with another part held out',
      })
      .option('share-pretraining', {
        type: 'boolean',
        default: false,
        describe: 'with --folds: pre-train on the images of all scans, also of those that a fold holds out',
      })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'override a setting of both configurations, such as train.threads=1; may be repeated',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the result as JSON on standard output',
      })
      .example('$0 run project', 'everything; after Ctrl-C the same command goes on')
      .example('$0 run project --folds 5', 'five fine-tunings; the pre-training sees unlabelled scans alone'),
  run: async (flags, { terminal, signal, result }) => {
    const { project, folds, set, json } = flags;
    if (folds !== undefined && (!Number.isInteger(folds) || folds < 2))
      throw new UsageError(`--folds is ${folds}, but must be a whole number of at least 2`, {
        field: '--folds',
        found: folds,
      });
    if (flags['share-pretraining'] && folds === undefined)
      throw new UsageError('--share-pretraining goes with --folds', { field: '--share-pretraining' });
    const { runProject } = await import('../project/index.js');
    const { describePlan } = await import('../dataset/index.js');
    const { evaluationCells, fittedTable } = await import('../report/index.js');
    const count = countingBar(terminal, 'prepare');
    const done = await runProject({
      project,
      folds,
      sharePretraining: flags['share-pretraining'],
      set,
      prepare: {
        onPlan: (plan) => terminal.line(describePlan(plan)),
        onProgress: ({ done, total, id, state, reason }) => {
          if (reason !== undefined) terminal.line(`skipped ${id}: ${reason}`);
          count(done, total, `${id} ${state}`);
        },
      },
      watchRun: (title, folder) => runDisplay(terminal, title, folder),
      onStep: (step) => terminal.line(step),
      signal: signal(),
    });
    const { evaluations, report, skipped, pretrained } = done;
    const rows = evaluations.map(({ evaluation }) => ({ name: evaluation.task, evaluation }));
    const cells = rows.length > 0 ? evaluationCells(rows) : undefined;
    const text = [
      ...(cells
        ? [fittedTable(cells.header, cells.body, process.stdout.columns ?? Number.POSITIVE_INFINITY)]
        : []),
      ...skipped.map(({ id, reason }) => `skipped ${id}: ${reason}`),
      `pre-trained weights: ${pretrained}`,
      ...evaluations.map(
        ({ run }) => `to segment scans: hybridmim predict --run ${run} --input scans/ --out predictions/`,
      ),
      report,
    ].join('\n');
    result({ schema: 1, ...done }, text, json);
  },
};
