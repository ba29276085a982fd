import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type PreparedCase, type PreparedIndex, readPreparedVolume } from '../dataset/index.js';
import { writeContourFigure } from '../report/index.js';

/** Rows of a picture. */
const MOST_CASES = 3;

/** Larger cases would take memory out of proportion to a picture. */
const MOST_VOXELS = 48e6;

/**
 * Draws for each dataset an axial and a coronal slice of some prepared cases, with the contours of their
 * labels, so that a wrong window or a flipped axis is seen: `<dataset>.png` in the prepared folder. The
 * slices are those with the most labelled voxels, else the middle.
 * @param redraw false: only datasets that have no picture
 * @returns the pictures that were written
 */
export async function writePreparedPictures(
  prepared: string,
  index: PreparedIndex,
  redraw: boolean,
): Promise<string[]> {
  const written: string[] = [];
  for (const [dataset, { classes, preprocessing }] of Object.entries(index.datasets)) {
    const file = join(prepared, `${dataset}.png`);
    const shown = firstMiddleLast(
      index.cases.filter((prepared) => prepared.dataset === dataset && voxelsOf(prepared) <= MOST_VOXELS),
    );
    if (shown.length === 0 || (!redraw && existsSync(file))) continue;
    const panels = [];
    for (const shownCase of shown) {
      const { image, label } = await readPreparedVolume(prepared, shownCase);
      panels.push({ caseName: shownCase.name, image, reference: label, predictions: {} });
    }
    await writeContourFigure(file, panels, {
      title: `${dataset}, prepared`,
      classes: Object.entries(classes).map(([value, name]) => ({ name, values: [Number(value)] })),
      planes: ['axial', 'coronal'],
      // a window's values lie in [0, 1] and are shown as the network sees them; others have no common unit
      ...(preprocessing.intensity === 'ct-window' && { window: [0, 1] as const }),
    });
    written.push(file);
  }
  return written;
}

/** The first, the middle and the last, or all of fewer. */
function firstMiddleLast(cases: readonly PreparedCase[]): PreparedCase[] {
  const places = Array.from({ length: MOST_CASES }, (_, i) =>
    Math.round((i * (cases.length - 1)) / (MOST_CASES - 1)),
  );
  return cases.filter((_, i) => places.includes(i));
}

const voxelsOf = ({ size, channels }: PreparedCase): number => size[0] * size[1] * size[2] * channels;
