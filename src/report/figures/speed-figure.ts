import { dirname } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { publishedSpeeds } from '../paper/published-speed.js';
import { specToSvg } from './spec-to-svg.js';
import { figureFont, svgToPng } from './svg-to-png.js';

/** A measured bar, in seconds a step. */
export interface SpeedBar {
  readonly name: string;
  readonly precision: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Pixels to a unit of the figure: sharp on dense screens and in print. */
const zoom = 2;
const width = 720;
const barStep = 30;
/** Of an axis, about. */
const TICKS = 8;
const colours = {
  float32: '#1f6fb2',
  bfloat16: '#2b8a5a',
  published: '#8c959f',
  text: '#24292f',
  quiet: '#57606a',
  grid: '#e8eaed',
};

/**
 * Writes the bars of the paper's Figure 5 as PNG: measured steps with the range of their times, and below
 * them the published ones.
 * @param subtitle where and how they were measured
 */
export async function writeSpeedFigure(
  file: string,
  bars: readonly SpeedBar[],
  subtitle: string,
): Promise<void> {
  const png = await svgToPng(await specToSvg(speedSpec(bars, subtitle)), zoom);
  await makeFolder(dirname(file));
  await writeWholeFile(file, png);
}

/** The figure as Vega-Lite. */
export function speedSpec(bars: readonly SpeedBar[], subtitle: string): TopLevelSpec {
  const precisions = [...new Set(bars.map(({ precision }) => precision))];
  return {
    background: 'white',
    padding: 24,
    title: {
      text: 'Time of one pre-training step',
      subtitle,
      fontSize: 18,
      anchor: 'start',
      offset: 16,
      subtitleColor: colours.quiet,
      subtitlePadding: 6,
    },
    spacing: 28,
    resolve: { legend: { color: 'independent' } },
    vconcat: [measuredPanel(bars, precisions), publishedPanel()],
    config: {
      font: figureFont,
      view: { stroke: null },
      axis: {
        labelColor: colours.text,
        titleColor: colours.quiet,
        titleFontWeight: 400,
        gridColor: colours.grid,
        domain: false,
        ticks: false,
        labelFontSize: 12,
        labelLimit: 320,
      },
      legend: { labelColor: colours.text, orient: 'top', title: null, offset: 4 },
    },
  };
}

type Panel = Extract<TopLevelSpec, { readonly vconcat: unknown }>['vconcat'][number];

function measuredPanel(bars: readonly SpeedBar[], precisions: string[]): Panel {
  const scale = {
    domain: precisions,
    range: precisions.map((name) => (name === 'bfloat16' ? colours.bfloat16 : colours.float32)),
  };
  const y = { field: 'name', type: 'nominal' as const, sort: null, title: null };
  const offset = { field: 'precision', sort: precisions };
  const seconds = {
    type: 'quantitative' as const,
    title: 'seconds a step, on this machine',
    axis: { tickCount: TICKS },
  };
  return {
    width,
    height: { step: barStep / Math.max(1, precisions.length) + 6 },
    data: { values: bars.map((bar) => ({ ...bar, text: secondsText(bar.median) })) },
    encoding: { y, yOffset: offset },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2 },
        encoding: {
          x: { field: 'median', ...seconds },
          color: { field: 'precision', type: 'nominal', scale },
        },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.5, color: colours.text },
        encoding: { x: { field: 'low', ...seconds }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 8, color: colours.text, fontSize: 11 },
        encoding: { x: { field: 'high', ...seconds }, text: { field: 'text' } },
      },
    ],
  };
}

function publishedPanel(): Panel {
  const values = publishedSpeeds.map(({ name, seconds, stated }) => ({
    name,
    seconds,
    text: `${stated ? '' : 'about '}${secondsText(seconds)}`,
  }));
  const x = {
    field: 'seconds',
    type: 'quantitative' as const,
    title: 'seconds a step, as published (128^3, the authors\u2019 GPU)',
    axis: { tickCount: TICKS },
  };
  return {
    width,
    height: { step: barStep - 6 },
    data: { values },
    encoding: { y: { field: 'name', type: 'nominal', sort: null, title: null }, x },
    layer: [
      { mark: { type: 'bar', cornerRadiusEnd: 2, color: colours.published } },
      {
        mark: { type: 'text', align: 'left', dx: 8, color: colours.text, fontSize: 11 },
        encoding: { text: { field: 'text' } },
      },
    ],
  };
}

const secondsText = (seconds: number): string =>
  `${seconds < 0.1 ? seconds.toFixed(3) : seconds.toFixed(2)} s`;
