import { basename, join } from 'node:path';
import { UsageError } from '../errors.js';
import type { Evaluation } from '../evaluation/index.js';
import type { Command, Context } from './context.js';
import { countingBar } from './terminal.js';

interface Flags {
  readonly run: string | undefined;
  readonly split: 'training' | 'validation' | 'test';
  readonly checkpoint: 'best' | 'last' | undefined;
  readonly predictions: string | undefined;
  readonly labels: string | undefined;
  readonly task: string | undefined;
  readonly classes: string | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

export const evaluateCommand: Command<Flags> = {
  command: 'evaluate',
  describe: 'Dice and HD95 a case and class, of a run or of any two folders',
  flags: (yargs) =>
    yargs
      .option('run', { type: 'string', requiresArg: true, describe: 'run folder of a fine-tuning; its cases are predicted and evaluated' })
      .option('split', { choices: ['training', 'validation', 'test'] as const, default: 'validation' as const, describe: 'cases of --run' })
      .option('checkpoint', { choices: ['best', 'last'] as const, describe: 'weights of --run; default best where there is one' })
      .option('predictions', { type: 'string', requiresArg: true, describe: 'folder of predicted labels; files pair with --labels by name' })
      .option('labels', { type: 'string', requiresArg: true, describe: 'folder of reference labels' })
      .option('task', { type: 'string', requiresArg: true, describe: 'classes of --predictions: btcv, msd-liver, msd-spleen or brats' })
      .option('classes', { type: 'string', requiresArg: true, describe: 'or the classes themselves: 1=liver,2=tumour' })
      .option('out', { type: 'string', requiresArg: true, describe: 'file to write, ending in .json; .md and .csv go beside it' })
      .option('json', { type: 'boolean', default: false, describe: 'print the evaluation as JSON on standard output' })
      .example('$0 evaluate --run runs/btcv', 'the validation cases, into runs/btcv/evaluation.json')
      .example('$0 evaluate --predictions p --labels l --classes 1=liver,2=tumour --out evaluation.json', 'any two folders'),
  run: async (flags, context) => {
    const { evaluationCells, markdownTable, writeEvaluation } = await import('../report/index.js');
    const { run, predictions, labels, out, json } = flags;
    if (out !== undefined && !out.endsWith('.json')) {
      throw new UsageError(`--out is ${out}, but must end in .json; .md and .csv are written beside it`, { field: '--out', found: out });
    }
    if ((run === undefined) === (predictions === undefined)) {
      throw new UsageError('evaluate takes either --run, or --predictions with --labels', { field: '--run' });
    }
    if (run === undefined && labels === undefined)
      throw new UsageError('--predictions needs --labels, the folder of the references', { field: '--labels' });
    const evaluation = run === undefined ? await ofFolders(flags, context) : await ofRun(run, flags, context);
    const file = out ?? (run === undefined ? 'evaluation.json' : join(run, 'evaluation.json'));
    await writeEvaluation(file, evaluation);
    const { header, body } = evaluationCells([{ name: evaluation.task, evaluation }]);
    context.result(evaluation, `${markdownTable(header, body)}\n${file}`, json);
  },
};

async function ofRun(run: string, { split, checkpoint, task }: Flags, { terminal, signal }: Context): Promise<Evaluation> {
  const { evaluateRun } = await import('../experiment/index.js');
  const count = countingBar(terminal, 'evaluate');
  return evaluateRun({
    run,
    split,
    checkpoint,
    task: task ?? basename(run),
    signal: signal(),
    onCase: (id, done, total) => count(done, total, id),
  });
}

async function ofFolders({ predictions, labels, task, classes }: Flags, { terminal, signal }: Context): Promise<Evaluation> {
  const { loadTask, parseClasses } = await import('../config/index.js');
  const { evaluateFolders, summarise } = await import('../evaluation/index.js');
  if ((task === undefined) === (classes === undefined)) {
    throw new UsageError('--predictions needs the classes: either --task btcv or --classes 1=liver,2=tumour', { field: '--classes' });
  }
  const described = classes === undefined ? await loadTask(task!) : parseClasses(classes);
  const { regions, labelMap } = described;
  const evaluated = regions
    ? Object.entries(regions).map(([name, values]) => ({ name, values }))
    : Object.entries(described.classes).map(([value, name]) => ({ name, values: [Number(value)] }));
  const count = countingBar(terminal, 'evaluate');
  const cases = await evaluateFolders({
    predictions: predictions!,
    labels: labels!,
    classes: evaluated,
    labelMap,
    signal: signal(),
    onCase: (id, done, total) => count(done, total, id),
  });
  return summarise(
    task ?? 'evaluation',
    evaluated.map(({ name }) => name),
    cases,
  );
}
