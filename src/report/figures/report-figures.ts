import type { TopLevelSpec } from 'vega-lite';
import { itemAt } from '../../at.js';
import { comparable, isOfTraining, type ReportEvaluation, type SpeedResult } from '../page/report-content.js';
import { type FigurePoint, type PaperFigure, publishedText } from '../paper/paper-figure.js';
import { paperFigureSpec } from './paper-figure-spec.js';
import { colours, figureStyle, scoreColour } from './progress-spec.js';

/** A figure of a report: what draws it, and what it says in words. */
export interface ReportFigure {
  /** Of its file. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly spec: TopLevelSpec;
}

const width = 760;

const base = { background: 'white', padding: 12, config: figureStyle } as const;

/**
 * Box plots of Dice over cases, every case a point, a group a class and a box an evaluation; one figure for
 * evaluations with the same classes, training cases apart.
 */
export function boxFigures(evaluations: readonly ReportEvaluation[]): ReportFigure[] {
  return comparable(evaluations)
    .map((members, i) => boxFigure(members, i + 1))
    .filter((figure) => figure !== undefined);
}

function boxFigure(members: readonly ReportEvaluation[], number: number): ReportFigure | undefined {
  const names = members.map(({ name }) => name);
  const values = members.flatMap(({ name, evaluation }) =>
    evaluation.cases.flatMap(({ classes }) =>
      Object.entries(classes).flatMap(([label, { dice }]) =>
        dice === null ? [] : [{ name, class: label, dice: 100 * dice }],
      ),
    ),
  );
  if (values.length === 0) return undefined;
  const { classes } = itemAt(members, 0).evaluation;
  const perClass = Math.max(26, 16 * names.length);
  return {
    id: `dice-over-cases-${number}`,
    title: `Dice over ${members.every(isOfTraining) ? 'training cases' : 'cases'}: ${classes.join(', ')}`,
    text: members
      .map(
        ({ name, evaluation }) =>
          `${name}: ${evaluation.cases.length} ${evaluation.cases.length === 1 ? 'case' : 'cases'}, mean ${percentText(evaluation.mean.dice.overClasses)}`,
      )
      .join('; '),
    spec: {
      ...base,
      width,
      height: perClass * classes.length,
      data: { values },
      layer: [
        {
          mark: {
            type: 'boxplot',
            extent: 1.5,
            size: Math.min(18, 0.7 * (perClass / names.length)),
            outliers: false,
            box: { opacity: 0.3 },
            median: { color: colours.text },
            rule: { color: colours.quiet },
          },
        },
        { mark: { type: 'point', filled: true, size: 18, opacity: 0.9 } },
      ],
      encoding: {
        x: {
          field: 'dice',
          type: 'quantitative',
          scale: { zero: false },
          axis: { title: 'Dice, %', grid: true },
        },
        y: {
          field: 'class',
          type: 'nominal',
          sort: [...classes],
          axis: { title: null, labelLimit: 200, domain: true },
        },
        yOffset: { field: 'name', type: 'nominal', sort: names },
        color: colourOf(names),
      },
    },
  };
}

/** One of the paper's figures, with its numbers in words. */
export function paperReportFigure(figure: PaperFigure, i: number): ReportFigure {
  const { number, caption, points, notes } = figure;
  const several = new Set(points.map(({ share }) => share)).size > 1;
  const facts = points.map((point) => {
    const place = several ? `${point.row} with ${Math.round(100 * point.share)} % of the labels` : point.row;
    return `${place}: ${pointFacts(point).join(', ') || 'no number'}`;
  });
  return {
    id: `paper-figure-${number}-${i + 1}`,
    title: `Figure ${number}. ${caption}`,
    text: `${facts.join('; ')}. ${notes.join(' ')}`,
    spec: paperFigureSpec(figure),
  };
}

function pointFacts({ dice, seconds, published }: FigurePoint): string[] {
  return [
    ...(dice === null ? [] : [`Dice ${percentText(dice)}`]),
    ...(published.dice === null ? [] : [`published Dice ${publishedText(published.dice)} %`]),
    ...(seconds === null ? [] : [`${seconds.toFixed(2)} s a step`]),
    ...(published.seconds === null ? [] : [`published ${publishedText(published.seconds)} s a step`]),
  ];
}

/**
 * Mean Dice over the share of training cases, of what was learnt from several shares, a curve an arm of an
 * experiment; results on training cases are left out.
 */
export function efficiencyFigure(evaluations: readonly ReportEvaluation[]): ReportFigure | undefined {
  const points = evaluations.flatMap(({ evaluation, split, fraction, network, pretrained, arm }) => {
    const dice = evaluation.mean.dice.overClasses;
    if (fraction === undefined || dice === null || split === 'training') return [];
    const trained = `${network ?? 'network unknown'}, ${pretrained ? 'pre-trained' : 'from scratch'}`;
    const name = `${shortList(evaluation.classes)}, ${arm ?? trained}`;
    return [{ name, fraction: 100 * fraction, dice: 100 * dice }];
  });
  const fractionsOf = (name: string) =>
    new Set(points.flatMap((point) => (point.name === name ? [point.fraction] : [])));
  const values = points.filter(({ name }) => fractionsOf(name).size > 1);
  if (values.length === 0) return undefined;
  const names = [...new Set(values.map(({ name }) => name))];
  return {
    id: 'label-efficiency',
    title: 'Mean Dice over the share of labelled cases',
    text: values
      .map(({ name, fraction, dice }) => `${name}: ${dice.toFixed(2)} % with ${fraction} % of the cases`)
      .join('; '),
    spec: {
      ...base,
      width,
      height: 260,
      data: { values },
      encoding: {
        x: {
          field: 'fraction',
          type: 'quantitative',
          scale: { domain: [0, 100] },
          axis: { title: 'labelled cases, %' },
        },
        y: { field: 'dice', type: 'quantitative', scale: { zero: false }, axis: { title: 'mean Dice, %' } },
        color: colourOf(names),
      },
      layer: [
        {
          mark: { type: 'line', strokeWidth: 1.5 },
          encoding: { y: { field: 'dice', type: 'quantitative', aggregate: 'mean' } },
        },
        { mark: { type: 'point', filled: true, opacity: 1, size: 40 } },
      ],
    },
  };
}

/** Bars of the time of a step, fastest last as in the paper's Figure 5, with the spread as a line. */
export function speedFigure(results: readonly SpeedResult[]): ReportFigure | undefined {
  if (results.length === 0) return undefined;
  const slowestFirst = results.toSorted((a, b) => b.medianMs - a.medianMs);
  const values = slowestFirst.map(({ network, method, region, precision, medianMs, minMs, maxMs }) => ({
    name: `${method}, ${network}, ${region}, ${precision}`,
    seconds: medianMs / 1000,
    low: minMs / 1000,
    high: maxMs / 1000,
  }));
  const y = { field: 'name', type: 'nominal', sort: null, axis: { title: null, labelLimit: 320 } } as const;
  return {
    id: 'seconds-a-step',
    title: 'Seconds a pre-training step',
    text: values.map(({ name, seconds }) => `${name}: ${seconds.toPrecision(3)} s`).join('; '),
    spec: {
      ...base,
      width: width - 240,
      height: 26 * values.length,
      data: { values },
      layer: [
        {
          mark: { type: 'bar', color: scoreColour(0), opacity: 0.75, size: 16 },
          encoding: {
            x: {
              field: 'seconds',
              type: 'quantitative',
              axis: { title: 'seconds, median; line: fastest to slowest', grid: true },
            },
            y,
          },
        },
        {
          mark: { type: 'rule', color: scoreColour(1), strokeWidth: 2 },
          encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' }, y },
        },
      ],
    },
  };
}

const colourOf = (names: readonly string[]) =>
  ({
    field: 'name',
    type: 'nominal',
    scale: { domain: [...names], range: names.map((_, i) => scoreColour(i)) },
    legend: { title: null, orient: 'bottom', columns: 1 },
  }) as const;

/** Three classes name a task well enough. */
const shortList = (classes: readonly string[]): string =>
  classes.length > 3 ? `${classes.slice(0, 3).join(', ')}, ...` : classes.join(', ');

const percentText = (value: number | null): string =>
  value === null ? 'undefined' : `${(100 * value).toFixed(2)} %`;
