import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';
import writeFileAtomic from 'write-file-atomic';
import { type ProgressLine, progressPanels } from './progress-panels.js';
import { progressSpec } from './progress-spec.js';
import { svgToPng, textWidth } from './svg-to-png.js';

/** Pixels to a unit of the figure: sharp on dense screens and in print. */
const zoom = 2;

/**
 * Writes the picture of a run as PNG: its losses over the steps, the learning rate and the validations. Long runs are thinned, so that
 * the time it takes hardly grows with the steps.
 * @param lines all metrics of the run so far in the order of steps; of no lines come empty panels
 */
export async function writeProgressFigure(file: string, lines: readonly ProgressLine[], title: string): Promise<void> {
  const svg = await specToSvg(progressSpec(progressPanels(lines), title));
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomic(file, await svgToPng(svg, zoom));
}

/** The libraries are loaded only here, because that takes half a second, and most commands draw nothing. */
async function specToSvg(spec: TopLevelSpec): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  measureTexts(vega);
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** What vega leaves out of its types: how wide it takes a text to be. Without a browser it guesses, and legends and margins get too wide. */
interface TextMeasuring {
  readonly textMetrics: { width: (item: { readonly fontSize?: number; readonly fontWeight?: number | string }, text: unknown) => number };
}

function measureTexts(vega: object): void {
  (vega as TextMeasuring).textMetrics.width = ({ fontSize, fontWeight }, text) =>
    textWidth(String(text ?? ''), fontSize ?? 11, fontWeight === 600 ? 600 : 400);
}
