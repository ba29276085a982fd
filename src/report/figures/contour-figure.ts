import { dirname } from 'node:path';
import { DataError, UsageError } from '../../errors.js';
import type { EvaluatedClass } from '../../evaluation/index.js';
import { applyAffine, mapAxes, type Volume } from '../../volume/index.js';
import { makeFolder, writeWholeFile } from '../../whole-file.js';
import { type ContourPanel, type ContourRow, contourRow } from './contour-rows.js';
import { contourSvg } from './contour-svg.js';
import type { Plane } from './slice.js';
import { svgToPng } from './svg-to-png.js';

export interface ContourFigureOptions {
  readonly title?: string;
  /** What to outline, in the order of colours; by default every label value but 0. */
  readonly classes?: readonly EvaluatedClass[];
  /**
   * Image values to show as black and white, HU for CT; by default the 0.5th and 99.5th percentile of each
   * slice.
   */
  readonly window?: readonly [number, number];
  /** Slices of a case, one above the other; by default the axial one only. */
  readonly planes?: readonly Plane[];
  /** Further slices of a case until each class of its reference is seen in one. */
  readonly everyClass?: boolean;
}

/** A figure whose cases are read one after the other, so that the volumes of one are in memory. */
export interface ContourFigureContent extends ContourFigureOptions {
  /** Columns beside the reference. */
  readonly methods: readonly string[];
  /** What to outline, in the order of colours, over all cases. */
  readonly classes: readonly EvaluatedClass[];
  readonly cases: readonly (() => Promise<ContourPanel>)[];
}

/** Pixels to a unit of the figure: sharp on dense screens and in print. */
const zoom = 2;

/**
 * Writes a PNG of slices with outlines: a row a case, a column with the reference and one a method, whose
 * mean Dice stands below. Slices are those with the most labelled voxels, with their physical proportions,
 * the patient's right at the left of the picture and anterior or superior at its top.
 * @throws UsageError without a case or with an empty window; DataError when the volumes of a case do not lie
 *   on one grid
 */
export async function writeContourFigure(
  file: string,
  panels: readonly ContourPanel[],
  options: ContourFigureOptions = {},
): Promise<void> {
  if (panels.length === 0)
    throw new UsageError('a figure of outlines needs at least one case, but there is none', {
      field: 'panels',
      found: 0,
    });
  requireWindow(options.window);
  for (const panel of panels) requireOneGrid(panel);
  const classes = options.classes ?? classesIn(panels);
  const methods = [...new Set(panels.flatMap(({ predictions }) => Object.keys(predictions)))];
  const cases = panels.map((panel) => async () => panel);
  await writeContourFigureOf(file, { ...options, methods, classes, cases });
}

/**
 * As `writeContourFigure`, of cases that are read when they are drawn and may differ in their classes.
 * @throws DataError when the volumes of a case do not lie on one grid
 */
export async function writeContourFigureOf(
  file: string,
  { title, methods, classes, cases, planes = ['axial'], window, everyClass }: ContourFigureContent,
): Promise<void> {
  const rows: ContourRow[] = [];
  for (const load of cases) {
    const panel = await load();
    requireOneGrid(panel);
    rows.push(contourRow(panel, { methods, classes, planes, window, everyClass }));
  }
  const svg = contourSvg({ title, methods, classNames: classes.map(({ name }) => name), rows });
  await makeFolder(dirname(file));
  await writeWholeFile(file, await svgToPng(svg, zoom));
}

function requireWindow(window: readonly [number, number] | undefined): void {
  if (!window || window[1] > window[0]) return;
  throw new UsageError(`window [${window.join(', ')}] is empty: its second number must be the larger`, {
    field: 'window',
    found: window,
  });
}

/** @throws DataError when the volumes of a case do not lie on one grid */
export function requireOneGrid({ caseName, image, reference, predictions }: ContourPanel): void {
  const labels = Object.entries(predictions).map(
    ([method, label]) => [`the prediction of ${method}`, label] as const,
  );
  for (const [role, label] of [...(reference ? [['the reference', reference] as const] : []), ...labels]) {
    if (
      label.size.join() === image.size.join() &&
      cornersApart(label, image) <= toleranceVoxels * Math.min(...image.spacing)
    )
      continue;
    throw new DataError(
      `${role} of case ${caseName} (${label.size.join('x')} voxels) does not lie on the grid of its image (${image.size.join('x')} voxels): ` +
        "resample it to the image's grid first",
      { field: 'affine', found: label.affine.rows, expected: image.affine.rows },
    );
  }
}

/** Headers round differently; grids that differ, differ by more. */
const toleranceVoxels = 0.05;

/** mm between the corners of two grids of one size, where they lie furthest apart. */
function cornersApart(a: Volume, b: Volume): number {
  const corners = Array.from({ length: 8 }, (_, i) =>
    mapAxes(a.size, (n, axis) => ((i >> axis) & 1) * (n - 1)),
  );
  return Math.max(
    ...corners.map((corner) => {
      const [p, q] = [applyAffine(a.affine, corner), applyAffine(b.affine, corner)];
      return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
    }),
  );
}

function classesIn(panels: readonly ContourPanel[]): EvaluatedClass[] {
  const labels = panels.flatMap(({ reference, predictions }) => [
    ...(reference ? [reference] : []),
    ...Object.values(predictions),
  ]);
  const values = new Set<number>();
  for (const { data } of labels) for (const value of data) values.add(value);
  values.delete(0);
  return [...values].sort((a, b) => a - b).map((value) => ({ name: `label ${value}`, values: [value] }));
}
