import { dirname } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import type { FigurePoint, PaperFigure } from '../paper/paper-figure.js';
import { figureStyle, scoreColour } from './progress-spec.js';
import { specToSvg } from './spec-to-svg.js';
import { svgToPng } from './svg-to-png.js';

/** Pixels to a unit of the figure: sharp on dense screens and in print. */
const zoom = 2;
const width = 640;
const height = 320;

/**
 * Writes one of the paper's figures as PNG: our numbers filled, those of the paper's text hollow. A point
 * that neither has is not drawn.
 */
export async function writePaperFigure(file: string, figure: PaperFigure): Promise<void> {
  const png = await svgToPng(await specToSvg(paperFigureSpec(figure)), zoom);
  await makeFolder(dirname(file));
  await writeWholeFile(file, png);
}

/**
 * The figure as Vega-Lite: curves over shares of labels (4), bars (5), or Dice and seconds over sizes (6).
 */
export function paperFigureSpec(figure: PaperFigure): TopLevelSpec {
  const { number, caption, points } = figure;
  const panel = { 4: labelCurves, 5: speedBars, 6: sizesPanel }[number](points);
  return {
    background: 'white',
    padding: 20,
    title: {
      text: `Figure ${number}. ${caption}`,
      subtitle: "filled: ours; hollow: published in the paper's text",
      anchor: 'start',
      offset: 14,
    },
    config: figureStyle,
    ...panel,
  };
}

type Panel = Extract<TopLevelSpec, { readonly layer: unknown }>;
type Layers = Panel['layer'];
type Values = Record<string, unknown>[];

/** One mark at each value: filled where it is ours. */
interface Mark {
  readonly row: string;
  readonly share: number;
  readonly value: number;
  readonly origin: 'ours' | 'published';
}

/** What there is of a number: ours, Dice in %, and the published one. */
function marksOf(points: readonly FigurePoint[], what: 'dice' | 'seconds'): Mark[] {
  const scale = what === 'dice' ? 100 : 1;
  return points.flatMap(({ row, share, published, ...own }) => {
    const [ours, theirs] = [own[what], published[what]];
    return [
      ...(ours === null ? [] : [{ row, share, value: scale * ours, origin: 'ours' as const }]),
      ...(theirs === null ? [] : [{ row, share, value: theirs.value, origin: 'published' as const }]),
    ];
  });
}

const rowsOf = (points: readonly FigurePoint[]): string[] => [...new Set(points.map(({ row }) => row))];

function labelCurves(points: readonly FigurePoint[]): Panel {
  const marks = marksOf(points, 'dice').map((mark) => ({ ...mark, percent: 100 * mark.share }));
  const rows = rowsOf(points);
  const ours = marks.filter(({ origin }) => origin === 'ours');
  const published = marks.filter(({ origin }) => origin === 'published');
  return {
    width,
    height,
    encoding: {
      x: {
        field: 'percent',
        type: 'quantitative',
        scale: { domain: [0, 100] },
        axis: { title: 'labelled cases, %' },
      },
      y: { field: 'value', type: 'quantitative', scale: { zero: false }, axis: { title: 'mean Dice, %' } },
      color: {
        field: 'row',
        type: 'nominal',
        scale: { domain: rows, range: rows.map((_, i) => scoreColour(i)) },
        legend: { title: null, orient: 'bottom', columns: 1 },
      },
    },
    layer: [
      { data: { values: ours }, mark: { type: 'line', strokeWidth: 1.5 } },
      { data: { values: ours }, mark: { type: 'point', filled: true, opacity: 1, size: 50 } },
      { data: { values: published }, mark: hollow },
    ],
  };
}

function speedBars(points: readonly FigurePoint[]): Panel {
  const marks = marksOf(points, 'seconds');
  const y = {
    field: 'row',
    type: 'nominal' as const,
    sort: rowsOf(points),
    axis: { title: null, labelLimit: 320 },
  };
  const x = { field: 'value', type: 'quantitative' as const, axis: { title: 'seconds a step', grid: true } };
  return {
    width: width - 160,
    height: 30 * rowsOf(points).length,
    layer: [
      {
        data: { values: marks.filter(({ origin }) => origin === 'ours') },
        mark: { type: 'bar', color: scoreColour(0), size: 14 },
        encoding: { x, y },
      },
      {
        data: { values: marks.filter(({ origin }) => origin === 'published') },
        mark: { ...hollow, color: scoreColour(1) },
        encoding: { x, y },
      },
    ],
  };
}

/** Dice on the left axis, seconds on the right one, in the order of the sizes. */
function sizesPanel(points: readonly FigurePoint[]): Panel {
  const series = ['Dice', 'seconds a step'];
  const named = (name: string, marks: readonly Mark[]): Values =>
    marks.map((mark) => ({ ...mark, series: name }));
  const layersOf = (
    what: 'dice' | 'seconds',
    name: string,
    axis: { readonly title: string; readonly orient: 'left' | 'right'; readonly grid: boolean },
    shape: 'circle' | 'square',
  ): Layers[number] => {
    const marks = marksOf(points, what);
    const place = {
      x: {
        field: 'row',
        type: 'nominal' as const,
        sort: rowsOf(points),
        axis: { title: 'sub-volume, patch and target region, voxels', labelAngle: 0 },
      },
      y: { field: 'value', type: 'quantitative' as const, scale: { zero: what === 'seconds' }, axis },
      color: {
        field: 'series',
        type: 'nominal' as const,
        scale: { domain: series, range: series.map((_, i) => scoreColour(i)) },
        legend: { title: null, orient: 'bottom' as const },
      },
    };
    const of = (origin: Mark['origin']) => ({
      values: named(
        name,
        marks.filter((mark) => mark.origin === origin),
      ),
    });
    return {
      encoding: place,
      layer: [
        { data: of('ours'), mark: { type: 'line', strokeWidth: 1, opacity: 0.5 } },
        { data: of('ours'), mark: { type: 'point', filled: true, opacity: 1, size: 70, shape } },
        { data: of('published'), mark: hollow },
      ],
    };
  };
  return {
    width,
    height,
    layer: [
      layersOf('dice', 'Dice', { title: 'mean Dice, %', orient: 'left', grid: true }, 'circle'),
      layersOf(
        'seconds',
        'seconds a step',
        { title: 'seconds a step', orient: 'right', grid: false },
        'square',
      ),
    ],
    resolve: { scale: { y: 'independent' } },
  };
}

const hollow = {
  type: 'point',
  filled: false,
  shape: 'diamond',
  size: 140,
  strokeWidth: 2,
  opacity: 1,
} as const;
