import { basename, join } from 'node:path';
import type { TaskConfig } from '../config/index.js';
import { UsageError } from '../errors.js';
import type { Evaluation, FileReport, FurtherMetrics } from '../evaluation/index.js';
import { softwareVersions } from '../package-version.js';
import { shortList } from '../short-list.js';
import type { Command, Context } from './context.js';
import { countingBar } from './terminal.js';
import { requireWholeNumber } from './whole-number.js';

interface Flags {
  readonly run: string | undefined;
  readonly split: 'training' | 'validation' | 'test';
  readonly checkpoint: 'best' | 'last' | undefined;
  readonly predictions: string | undefined;
  readonly labels: string | undefined;
  readonly task: string | undefined;
  readonly classes: string | undefined;
  readonly ignore: number | undefined;
  readonly 'nsd-tolerance': string | undefined;
  readonly resample: boolean;
  readonly incomplete: boolean;
  readonly workers: number;
  readonly out: string | undefined;
  readonly json: boolean;
}

export const evaluateCommand: Command<Flags> = {
  command: 'evaluate',
  describe: 'Dice, HD95 and more a case and class, of a run or of any two folders',
  flags: (yargs) =>
    yargs
      .option('run', {
        type: 'string',
        requiresArg: true,
        describe: 'run folder of a fine-tuning; its cases are predicted and evaluated',
      })
      .option('split', {
        choices: ['training', 'validation', 'test'] as const,
        default: 'validation' as const,
        describe: 'cases of --run',
      })
      .option('checkpoint', {
        choices: ['best', 'last'] as const,
        describe: 'weights of --run; default best where there is one',
      })
      .option('predictions', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of predicted labels, or one file; files pair with --labels by name',
      })
      .option('labels', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of reference labels, or one file',
      })
      .option('task', {
        type: 'string',
        requiresArg: true,
        describe: 'classes of --predictions: btcv, msd-liver, msd-spleen or brats',
      })
      .option('classes', {
        type: 'string',
        requiresArg: true,
        describe: 'or the classes themselves: 1=liver,2=tumour',
      })
      .option('ignore', {
        type: 'number',
        requiresArg: true,
        describe: "value of --labels' voxels that are left out on both sides, as nnU-Net's label ignore",
      })
      .option('nsd-tolerance', {
        type: 'string',
        requiresArg: true,
        describe: 'mm within which a surface counts as right; default 1,2',
      })
      .option('resample', {
        type: 'boolean',
        default: false,
        describe: 'bring --predictions on another grid onto that of their label',
      })
      .option('incomplete', {
        type: 'boolean',
        default: false,
        describe: 'leave out and name files of --predictions and --labels that cannot be used',
      })
      .option('workers', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe: 'threads for --predictions; each holds one case in memory',
      })
      .option('out', {
        type: 'string',
        requiresArg: true,
        describe: 'file to write, ending in .json; .md, .csv and summary.json go beside it',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'print the evaluation as JSON on standard output',
      })
      .example('$0 evaluate --run runs/btcv', 'the validation cases, into runs/btcv/evaluation.json')
      .example(
        '$0 evaluate --predictions p --labels l --classes 1=liver,2=tumour --out evaluation.json',
        'any two folders',
      ),
  run: async (flags, context) => {
    const { chosenSentence, evaluationCells, fittedTable, writeEvaluation } = await import(
      '../report/index.js'
    );
    const { run, predictions, out, json } = flags;
    if (out !== undefined && !out.endsWith('.json')) {
      throw new UsageError(`--out is ${out}, but must end in .json; .md and .csv are written beside it`, {
        field: '--out',
        found: out,
      });
    }
    if (run !== undefined && predictions !== undefined) throw neitherOrBoth();
    const evaluated = run === undefined ? await ofFolders(flags, context) : await ofRun(run, flags, context);
    const file = out ?? (run === undefined ? 'evaluation.json' : join(run, 'evaluation.json'));
    const evaluation = await writeEvaluation(file, evaluated);
    const { header, body } = evaluationCells([{ name: evaluation.task, evaluation }]);
    const lines = [
      ...(evaluation.files ? fileLines(evaluation.files) : []),
      ...(evaluation.weights?.chosenOnTheseCases ? [`note: ${chosenSentence} (--checkpoint last)`] : []),
    ];
    context.result(
      evaluation,
      [fittedTable(header, body, process.stdout.columns ?? Number.POSITIVE_INFINITY), ...lines, file].join(
        '\n',
      ),
      json,
    );
    if (evaluation.files && leftOut(evaluation.files)) process.exitCode = 3;
  },
};

const neitherOrBoth = () =>
  new UsageError('evaluate takes either --run, or --predictions with --labels', { field: '--run' });

async function ofRun(
  run: string,
  { split, checkpoint, task, 'nsd-tolerance': nsdTolerance }: Flags,
  { terminal, signal }: Context,
): Promise<Evaluation> {
  const { evaluateRun } = await import('../prediction/index.js');
  const count = countingBar(terminal, 'evaluate');
  return evaluateRun({
    run,
    split,
    checkpoint,
    task: task ?? basename(run),
    further: await furtherMetrics(nsdTolerance),
    signal: signal(),
    onCase: (id, done, total) => count(done, total, id),
  });
}

async function ofFolders(flags: Flags, { terminal, signal }: Context): Promise<Evaluation> {
  const { evaluateFolders, summarise } = await import('../evaluation/index.js');
  const {
    predictions,
    labels,
    task,
    classes,
    ignore,
    'nsd-tolerance': nsdTolerance,
    resample,
    incomplete,
    workers,
  } = flags;
  if (predictions === undefined) throw neitherOrBoth();
  if (labels === undefined)
    throw new UsageError('--predictions needs --labels, the folder of the references', { field: '--labels' });
  requireWholeNumber('--workers', workers, 1);
  if (ignore !== undefined) requireWholeNumber('--ignore', ignore, 1);
  const further = await furtherMetrics(nsdTolerance);
  const described = await classesBy(task, classes);
  const { regions, labelMap } = described;
  const evaluated = regions
    ? Object.entries(regions).map(([name, values]) => ({ name, values }))
    : Object.entries(described.classes).map(([value, name]) => ({ name, values: [Number(value)] }));
  const count = countingBar(terminal, 'evaluate');
  const { cases, files } = await evaluateFolders({
    predictions,
    labels,
    classes: evaluated,
    labelMap,
    ignore,
    further,
    resample,
    incomplete,
    workers,
    signal: signal(),
    onCase: (id, done, total) => count(done, total, id),
  });
  return summarise(
    task ?? 'evaluation',
    evaluated.map(({ name }) => name),
    cases,
    {
      classValues: Object.fromEntries(evaluated.map(({ name, values }) => [name, values])),
      settings: {
        ...further,
        ...(labelMap && { labelMap }),
        ...(ignore !== undefined && { ignore }),
        resample,
      },
      software: softwareVersions(),
      files,
    },
  );
}

async function classesBy(task: string | undefined, classes: string | undefined): Promise<TaskConfig> {
  const { loadTask, parseClasses } = await import('../config/index.js');
  if (task !== undefined && classes === undefined) return loadTask(task);
  if (classes !== undefined && task === undefined) return parseClasses(classes);
  const either = 'either --task btcv or --classes 1=liver,2=tumour';
  throw new UsageError(`--predictions needs the classes: ${either}`, { field: '--classes' });
}

/** Tolerances as a flag gives them: `1,2.5`. */
async function furtherMetrics(nsdTolerance: string | undefined): Promise<FurtherMetrics> {
  const { defaultFurtherMetrics } = await import('../evaluation/index.js');
  if (nsdTolerance === undefined) return defaultFurtherMetrics;
  const nsdToleranceMm = nsdTolerance
    .split(',')
    .map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  if (nsdToleranceMm.every((mm) => Number.isFinite(mm) && mm >= 0))
    return { nsdToleranceMm: [...new Set(nsdToleranceMm)] };
  throw new UsageError(`--nsd-tolerance is "${nsdTolerance}", but must be millimetres such as 1,2`, {
    field: '--nsd-tolerance',
    found: nsdTolerance,
  });
}

const leftOut = ({ missing, extra, misaligned, unusable }: FileReport): boolean =>
  [missing, extra, misaligned, unusable].some(({ length }) => length > 0);

/** Each is a long line; the JSON has all. */
const mostReasons = 10;

/** A line a kind of file that people should know of. */
function fileLines({
  pairedBy,
  missing,
  extra,
  misaligned,
  unusable,
  emptyPredictions,
  emptyLabels,
  reoriented,
  resampled,
}: FileReport): string[] {
  const named = (what: string, ids: readonly string[]) =>
    ids.length > 0 ? [`${ids.length} ${what}: ${shortList(ids)}`] : [];
  const unused = [...misaligned, ...unusable];
  return [
    `paired by ${pairedBy}`,
    ...named('left out, labels without a prediction', missing),
    ...named('left out, predictions without a label', extra),
    ...unused.slice(0, mostReasons).map(({ id, reason }) => `left out ${id}: ${reason}`),
    ...named(
      'more left out',
      unused.slice(mostReasons).map(({ id }) => id),
    ),
    ...named('predictions of nothing but background', emptyPredictions),
    ...named('labels of nothing but background', emptyLabels),
    ...named('predictions reoriented to their label', reoriented),
    ...named('predictions resampled to their label', resampled),
  ];
}
