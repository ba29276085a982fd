import type { TopLevelSpec } from 'vega-lite';
import { itemAt } from '../../at.js';
import { classColour } from './class-colours.js';
import type { CurvePanel, ProgressPanels, ScoresPanel } from './progress-panels.js';
import { figureFont, textWidth } from './svg-to-png.js';
import { axisFromZero, lossAxis, type ValueAxis } from './value-axis.js';

type Panel = Extract<TopLevelSpec, { readonly vconcat: unknown }>['vconcat'][number];

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Units of the figure. `width` is that of the widest plot without its axis, `axis` what labels beside a plot
 * take, `overhang` what its points may jut out.
 */
const layout = {
  width: 1000,
  columns: 3,
  axis: 44,
  overhang: 4,
  columnGap: 36,
  rowGap: 26,
  largeHeight: 230,
  smallHeight: 140,
  legendRow: 18,
};

/** Of a name in the legend; the rest is cut off. */
const widestName = 220;

export const colours = {
  text: '#24292f',
  quiet: '#6e7781',
  grid: '#e8eaed',
  axis: '#afb8c1',
  loss: '#1f6fb2',
  heldOut: '#d9480f',
  learningRate: '#2b8a5a',
};

/** Of runs and rows. They can be told apart on white, and neighbours differ in lightness too. */
const scoreColours = [
  ...['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#17a2b8', '#e377c2'],
  ...['#8c6d31', '#7f7f7f', '#bcbd22', '#0b4f8a', '#f4a582', '#66c2a5', '#a50f15'],
];

/** The colour of a run or a row by its place; the colours begin again after the last. */
export const scoreColour = (i: number): string => itemAt(scoreColours, i % scoreColours.length);

/**
 * The Vega-Lite picture of a run: the total loss above, its terms and the learning rate in columns,
 * validation scores below.
 */
export function progressSpec(
  { lastStep, total, terms, learningRate, scores }: ProgressPanels,
  title: string,
): TopLevelSpec {
  const { width, columns, columnGap, axis, overhang, rowGap, largeHeight, smallHeight } = layout;
  const small = {
    width: (width - (columns - 1) * (columnGap + axis + overhang)) / columns,
    height: smallHeight,
  };
  const smallPanels = [
    ...terms.map((term) => curvePanel(term, lossAxis(term), lastStep, small, colours.loss)),
    curvePanel(learningRate, axisFromZero(learningRate), lastStep, small, colours.learningRate),
  ];
  return {
    background: 'white',
    padding: 24,
    title: { text: title, subtitle: explanation(total, lastStep), fontSize: 18, anchor: 'start', offset: 16 },
    spacing: rowGap,
    resolve: { legend: { color: 'independent' } },
    vconcat: [
      curvePanel(total, lossAxis(total), lastStep, { width, height: largeHeight }, colours.loss),
      ...rowsOf(smallPanels).map((row): Panel => ({ spacing: columnGap, hconcat: row })),
      ...(scores ? [scoresPanel(scores, lastStep)] : []),
    ],
    config: figureStyle,
  };
}

function explanation({ points, heldOut, heldOutLacks }: CurvePanel, lastStep: number): string {
  if (points.length === 0) return 'no steps yet';
  const without = heldOutLacks.length > 0 ? `, without ${heldOutLacks.join(' and ')}` : '';
  const held = heldOut.length > 0 ? `; dots: the same on held-out crops${without}` : '';
  return `after step ${lastStep.toLocaleString('en')}; faint: steps, or the range of neighbouring ones; line: moving mean${held}`;
}

function curvePanel(
  { title, points, heldOut }: CurvePanel,
  { type, domain, ticks }: ValueAxis,
  lastStep: number,
  size: Size,
  colour: string,
): Panel {
  const x = stepAxis(lastStep, size);
  const scale = { type, domain: [...domain], nice: false, ...(type === 'linear' && { zero: false }) };
  const axis = {
    ...valueLabels(domain),
    ...(ticks ? { values: [...ticks] } : { tickCount: Math.round(size.height / 45) }),
  };
  const y = (field: string) => ({ field, type: 'quantitative' as const, scale, axis });
  const fewPoints = points.length <= 30;
  return {
    title: type === 'log' ? `${title} (logarithmic)` : title,
    ...size,
    data: { values: [...points] },
    layer: [
      topLabelRoom,
      {
        mark: { type: 'area', clip: true, color: colour, opacity: 0.18 },
        encoding: { x, y: y('low'), y2: { field: 'high' } },
      },
      {
        mark: { type: 'line', clip: true, color: colour, opacity: 0.35, strokeWidth: 1 },
        encoding: { x, y: y('mean') },
      },
      {
        mark: { type: 'line', color: colour, strokeWidth: 2, point: fewPoints && { color: colour } },
        encoding: { x, y: y('smooth') },
      },
      {
        data: { values: [...heldOut] },
        mark: { type: 'point', filled: true, color: colours.heldOut, size: 18, opacity: 1 },
        encoding: { x, y: y('value') },
      },
    ],
  };
}

function scoresPanel({ title, names, values }: ScoresPanel, lastStep: number): Panel {
  const legendWidth = 50 + Math.max(...names.map((name) => Math.min(textWidth(name, 12), widestName)));
  const size = {
    width: layout.width - legendWidth,
    height: Math.max(layout.largeHeight, layout.legendRow * names.length),
  };
  const domain: [number, number] | undefined = values.every(({ value }) => value >= 0 && value <= 1)
    ? [0, 1]
    : undefined;
  const classes = names.filter((name) => name !== 'mean');
  const range = names.map((name) => (name === 'mean' ? colours.text : classColour(classes.indexOf(name))));
  return {
    title,
    ...size,
    data: { values: [...values] },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.5 } },
      { mark: { type: 'point', filled: true, opacity: 1, size: 30 } },
    ],
    encoding: {
      x: stepAxis(lastStep, size),
      y: {
        field: 'value',
        type: 'quantitative',
        scale: domain ? { domain } : { zero: false },
        axis: { ...valueLabels(domain ?? [0, 1]), tickCount: 5 },
      },
      color: {
        field: 'name',
        type: 'nominal',
        scale: { domain: [...names], range },
        legend: { title: null },
      },
    },
  };
}

/**
 * An unseen label at the top of a plot, so that titles stand in line whether or not the axis has a label
 * there.
 */
const topLabelRoom = {
  data: { values: [{}] },
  mark: { type: 'text' as const, text: '0', fontSize: 12, opacity: 0 },
  encoding: { x: { value: 0 }, y: { value: 0 } },
};

const stepAxis = (lastStep: number, { width }: Size) => ({
  field: 'step',
  type: 'quantitative' as const,
  scale: { domain: [0, Math.max(1, lastStep)], nice: false },
  axis: { title: 'step', tickCount: Math.round(width / 90), tickMinStep: 1, format: ',d' },
});

/** Labels in the same room whatever the numbers, so that plots stand in line; small numbers as 5e-4. */
const valueLabels = ([low, high]: readonly [number, number]) => ({
  title: null,
  ...(Math.max(Math.abs(low), Math.abs(high)) < 0.01
    ? { labelExpr: "datum.value === 0 ? '0' : format(datum.value, '~e')" }
    : { format: '~g' }),
  minExtent: layout.axis,
  maxExtent: layout.axis,
});

const rowsOf = (panels: readonly Panel[]): Panel[][] =>
  Array.from({ length: Math.ceil(panels.length / layout.columns) }, (_, i) =>
    panels.slice(i * layout.columns, (i + 1) * layout.columns),
  );

/** Type and lines of every figure of curves and bars. */
export const figureStyle: NonNullable<TopLevelSpec['config']> = {
  font: figureFont,
  view: { stroke: null },
  title: {
    fontSize: 14,
    fontWeight: 600,
    color: colours.text,
    anchor: 'start',
    frame: 'group',
    offset: 10,
    subtitleFontSize: 12,
    subtitleColor: colours.quiet,
    subtitlePadding: 6,
  },
  axis: {
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 400,
    labelColor: colours.quiet,
    titleColor: colours.quiet,
    gridColor: colours.grid,
    domainColor: colours.axis,
    tickColor: colours.axis,
    tickSize: 4,
  },
  axisY: { domain: false, ticks: false, labelPadding: 6 },
  axisX: { grid: false },
  legend: {
    labelFontSize: 12,
    labelColor: colours.text,
    symbolSize: 60,
    symbolType: 'circle',
    labelLimit: widestName,
    offset: 24,
  },
};
