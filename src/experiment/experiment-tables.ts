import { entryOf, itemAt } from '../at.js';
import { type Comparison, comparePaired, holm, type MeanAndStd, meanAndStd } from '../evaluation/index.js';
import { randomStream } from '../random/streams.js';
import {
  evaluationCells,
  markdownTable,
  millimetres,
  paperFigureMarkdown,
  paperTableMarkdown,
  percent,
  rankMarks,
} from '../report/index.js';
import type { ExperimentResult } from './experiment-result.js';
import type { ExperimentRun, PretrainingRun } from './run-cell.js';

/** A row of the summary: the runs of one arm and share of the labels, a seed each. */
interface Group {
  readonly name: string;
  readonly arm: string;
  readonly fraction: number;
  readonly runs: readonly ExperimentRun[];
}

/**
 * Everything that an experiment found, as Markdown: the paper's table or figure, the table over seeds,
 * comparisons, every run, pre-trainings, and what failed.
 */
export function experimentMarkdown(result: ExperimentResult): string {
  const { runs, pretrainings, failed, paper, figure, evaluated } = result;
  const sections = [
    ...(runs.length > 0 ? [evaluatedSentence(evaluated)] : []),
    ...(paper ? [`## The paper's table\n\n${paperTableMarkdown(paper)}`] : []),
    ...(figure ? [`## The paper's figure\n\n${paperFigureMarkdown(figure)}`] : []),
    ...tasksOf(runs).flatMap((ofTask) => taskSections(ofTask, result.compare)),
    ...(pretrainings.length > 0
      ? [
          `## Pre-training\n\n${pretrainingTable(pretrainings)}`,
          `## What pre-training has learned\n\n${taskTable(pretrainings)}`,
        ]
      : []),
    ...(failed.length > 0
      ? [
          `## Failed\n\n${markdownTable(
            ['run', 'reason'],
            failed.map(({ title, reason }) => [title, reason]),
          )}`,
        ]
      : []),
  ];
  return sections.join('\n\n');
}

/** Says which weights the numbers are of, and that the reported cases did not choose them. */
const evaluatedSentence = ({ split, checkpoint }: ExperimentResult['evaluated']): string =>
  checkpoint === 'last'
    ? `Evaluated on the ${split} cases with the last weights of each run: no case chose them.`
    : `Evaluated on the ${split} cases with the best weights of each run, which other cases chose.`;

/**
 * Tables of the runs of one task: over seeds where there are several, arms against each other, and run by
 * run.
 */
function taskSections(runs: readonly ExperimentRun[], compare: ExperimentResult['compare']): string[] {
  const several = new Set(runs.map(({ seed }) => seed)).size > 1;
  const groups = groupsOf(runs);
  return [
    ...(several ? [`## Over seeds\n\n${summaryTable(runs)}`] : []),
    ...(groups.length > 1 ? [`## Two methods at a time\n\n${comparisonTable(groups, compare)}`] : []),
    `## Every run\n\n${experimentTable({ runs })}`,
  ];
}

/** Runs that were evaluated on the same classes, which is what a table has columns for. */
function tasksOf(runs: readonly ExperimentRun[]): ExperimentRun[][] {
  const keys = [...new Set(runs.map(({ evaluation }) => evaluation.classes.join('\n')))];
  return keys.map((key) => runs.filter(({ evaluation }) => evaluation.classes.join('\n') === key));
}

/** The experiment's table: a row a run, Dice in % and HD95 in mm on the evaluated split. */
export function experimentTable({ runs }: Pick<ExperimentResult, 'runs'>): string {
  const several = new Set(runs.map(({ seed }) => seed)).size > 1;
  const shares = new Set(runs.map(({ fraction }) => fraction)).size > 1;
  const nameOf = ({ arm, seed, fraction }: ExperimentRun) =>
    [
      arm,
      ...(shares ? [`${Math.round(100 * fraction)}% of labels`] : []),
      ...(several ? [`seed ${seed}`] : []),
    ].join(', ');
  const { header, body } = evaluationCells(
    runs.map((run) => ({ name: nameOf(run), evaluation: run.evaluation })),
  );
  if (runs.every(({ training }) => training === null)) return markdownTable(header, body);
  const extended = body.map((row, i) => [
    ...row,
    percent(itemAt(runs, i).training?.mean.dice.overClasses ?? null),
  ]);
  return markdownTable([...header, 'training Dice'], extended);
}

/**
 * Mean and standard deviation over seeds, a row an arm and share of labels; the best three of a column are
 * marked.
 */
export function summaryTable(runs: readonly ExperimentRun[]): string {
  const groups = groupsOf(runs);
  const { classes } = itemAt(runs, 0).evaluation;
  const columns = (['dice', 'hd95'] as const).flatMap((metric) => [
    ...classes.map((label) => ({
      title: label,
      metric,
      of: ({ evaluation }: ExperimentRun) => entryOf(evaluation.perClass, label)[metric].mean,
    })),
    { title: 'mean', metric, of: ({ evaluation }: ExperimentRun) => evaluation.mean[metric].overClasses },
  ]);
  const filled = columns.map(({ metric, of }) => {
    const perGroup = groups.map(({ runs: seeds }) => meanAndStd(seeds.map(of)));
    const print = metric === 'dice' ? percent : millimetres;
    const marks = rankMarks(
      perGroup.map(({ mean }) => print(mean)),
      metric === 'dice' ? 'higher' : 'lower',
    );
    return perGroup.map((value, i) => `${plusMinus(value, print)}${marks[i]}`);
  });
  const header = [
    'method',
    'seeds',
    ...columns.map(({ title, metric }) => `${title} ${metric === 'dice' ? 'Dice' : 'HD95'}`),
  ];
  return markdownTable(
    header,
    groups.map(({ name, runs: seeds }, i) => [
      name,
      String(seeds.length),
      ...filled.map((column) => itemAt(column, i)),
    ]),
  );
}

/**
 * Pairs of arms with the same share of labels: those that the experiment declares, else each arm against each
 * one before it. A case's Dice is its mean over classes; the p values of the table are one family of Holm's.
 */
function comparisonTable(groups: readonly Group[], declared: ExperimentResult['compare']): string {
  const pairs = declared
    ? groups.flatMap((group) =>
        declared.flatMap(([arm, against]) => {
          if (group.arm !== arm) return [];
          const base = groups.find((other) => other.arm === against && other.fraction === group.fraction);
          return base ? [{ group, base }] : [];
        }),
      )
    : groups.flatMap((group, i) =>
        groups
          .slice(0, i)
          .filter(({ fraction }) => fraction === group.fraction)
          .map((base) => ({ group, base })),
      );
  const compared = pairs.map(({ group, base }) => compareGroups(group, base));
  const tested = compared.flatMap(({ p }, i) => (p === null ? [] : [{ p, i }]));
  const corrected = holm(tested.map(({ p }) => p));
  const byPair = new Map(tested.map(({ i }, rank) => [i, itemAt(corrected, rank)]));
  return markdownTable(
    ['mean difference of Dice', 'seeds', 'cases', 'difference', '95% interval', 'Wilcoxon p', 'p by Holm'],
    pairs.map(({ group, base }, i) => {
      return [
        `${group.name} - ${base.name}`,
        String(sharedSeeds(group, base).length),
        ...comparisonCells(itemAt(compared, i)),
        byPair.get(i)?.toPrecision(2) ?? '-',
      ];
    }),
  );
}

const sharedSeeds = (group: Group, base: Group): number[] =>
  group.runs.map(({ seed }) => seed).filter((seed) => base.runs.some((run) => run.seed === seed));

function compareGroups(group: Group, base: Group): Comparison {
  const rowsOf = ({ runs }: Group) =>
    sharedSeeds(group, base).map((seed) => diceByCase(runs.find((run) => run.seed === seed)));
  const [a, b] = [rowsOf(group), rowsOf(base)];
  const [first = new Map<string, number>()] = a;
  const shared = [...first.keys()].filter((id) => [...a, ...b].every((row) => row.has(id)));
  const values = (rows: readonly ReadonlyMap<string, number>[]) =>
    rows.map((row) => shared.map((id) => entryOf(row, id)));
  return comparePaired(values(a), values(b), randomStream(0, 'bootstrap'));
}

function comparisonCells({ n, meanDifference, interval, p }: Comparison): string[] {
  const signed = (value: number) => `${value >= 0 ? '+' : ''}${(100 * value).toFixed(2)}`;
  return [
    String(n),
    meanDifference === null ? '-' : signed(meanDifference),
    interval === null ? '-' : `${signed(interval[0])} to ${signed(interval[1])}`,
    p === null ? '-' : p.toPrecision(2),
  ];
}

/** Each case's mean over classes; cases on which no class is defined are left out. */
function diceByCase(run: ExperimentRun | undefined): Map<string, number> {
  return new Map(
    (run?.evaluation.cases ?? []).flatMap(({ id, classes }) => {
      const { mean } = meanAndStd(Object.values(classes).map(({ dice }) => dice));
      return mean === null ? [] : [[id, mean] as const];
    }),
  );
}

function groupsOf(runs: readonly ExperimentRun[]): Group[] {
  const shares = new Set(runs.map(({ fraction }) => fraction)).size > 1;
  const groups = new Map<string, Group>();
  for (const run of runs) {
    const name = shares ? `${run.arm}, ${Math.round(100 * run.fraction)}% of labels` : run.arm;
    groups.set(name, {
      name,
      arm: run.arm,
      fraction: run.fraction,
      runs: [...(groups.get(name)?.runs ?? []), run],
    });
  }
  return [...groups.values()];
}

/** Milliseconds of a step without waiting for data, and how the loss fell, a row a pre-training. */
function pretrainingTable(pretrainings: readonly PretrainingRun[]): string {
  const ms = (seconds: number) => (1000 * seconds).toFixed(0);
  return markdownTable(
    ['run', 'steps', 'ms a step', 'fastest', 'slowest', 'first loss', 'last loss'],
    pretrainings.map(({ title, steps, stepSeconds, firstLoss, lastLoss }) => [
      title,
      String(steps),
      ...[stepSeconds.median, stepSeconds.min, stepSeconds.max].map(ms),
      firstLoss.toPrecision(4),
      lastLoss.toPrecision(4),
    ]),
  );
}

/**
 * Each task's loss at the beginning and the end, beside that of a network that has learned nothing of the
 * images.
 */
function taskTable(pretrainings: readonly PretrainingRun[]): string {
  return markdownTable(
    ['run', 'task', 'loss, first tenth', 'last tenth', 'knowing nothing'],
    pretrainings.flatMap(({ title, tasks }) =>
      tasks.map(({ name, first, last, chance }) => [
        title,
        name,
        first.toPrecision(4),
        last.toPrecision(4),
        chance === null ? '-' : chance.toPrecision(4),
      ]),
    ),
  );
}

const plusMinus = ({ mean, std }: MeanAndStd, print: (value: number | null) => string): string =>
  std === null ? print(mean) : `${print(mean)} ± ${print(std)}`;
