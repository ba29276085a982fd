import { dirname } from 'node:path';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { type ProgressLine, progressPanels } from './progress-panels.js';
import { progressSpec } from './progress-spec.js';
import { specToSvg } from './spec-to-svg.js';
import { svgToPng } from './svg-to-png.js';

/** Pixels to a unit of the figure: sharp on dense screens and in print. */
const zoom = 2;

/**
 * Writes the picture of a run as PNG: its losses over the steps, the learning rate and the validations. Long
 * runs are thinned, so that the time it takes hardly grows with the steps.
 * @param lines all metrics of the run so far in the order of steps; of no lines come empty panels
 */
export async function writeProgressFigure(
  file: string,
  lines: readonly ProgressLine[],
  title: string,
): Promise<void> {
  const svg = await specToSvg(progressSpec(progressPanels(lines), title));
  await makeFolder(dirname(file));
  await writeWholeFile(file, await svgToPng(svg, zoom));
}
