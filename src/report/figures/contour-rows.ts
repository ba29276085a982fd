import { itemAt } from '../../at.js';
import { dice, type EvaluatedClass } from '../../evaluation/index.js';
import { percentile, type Volume, voxelCount } from '../../volume/index.js';
import { percent } from '../table.js';
import type { PixelMask } from './label-contour.js';
import { countInSlices, type Plane, type Slice, sliceCount, sliceOf } from './slice.js';

/** A case of the figure. All its volumes lie on one grid. */
export interface ContourPanel {
  readonly caseName: string;
  /** Its first channel is shown. */
  readonly image: Volume;
  /** Label values; absent where nobody has drawn the organs. */
  readonly reference?: Volume | undefined;
  /** Label values by the name of the method; each method is a column of the figure. */
  readonly predictions: Readonly<Record<string, Volume>>;
}

/** What is shown of a case. */
export interface ContourRow {
  readonly caseName: string;
  readonly slices: readonly ShownSlice[];
  /** A line on each method's prediction. */
  readonly captions: readonly string[];
}

/** A slice of a case, and what lies in it: a mask a class. */
export interface ShownSlice {
  /** Which one it is. */
  readonly note: string;
  readonly image: Slice;
  /** 0 to 255. */
  readonly grey: Uint8Array;
  readonly reference: readonly PixelMask[] | undefined;
  readonly predictions: readonly (readonly PixelMask[] | undefined)[];
}

export interface ContourChoice {
  readonly methods: readonly string[];
  readonly classes: readonly EvaluatedClass[];
  readonly planes: readonly Plane[];
  /** Image values shown as black and white; undefined: percentiles of the slice. */
  readonly window: readonly [number, number] | undefined;
}

/** The slices of a case with the most voxels of its reference, or of its predictions where there is none. */
export function contourRow(panel: ContourPanel, choice: ContourChoice): ContourRow {
  return {
    caseName: panel.caseName,
    slices: choice.planes.map((plane) => shownSlice(panel, plane, choice)),
    captions: choice.methods.map((method) =>
      caption(panel.predictions[method], panel.reference, choice.classes),
    ),
  };
}

function shownSlice(
  { image, reference, predictions }: ContourPanel,
  plane: Plane,
  { methods, classes, window }: ContourChoice,
): ShownSlice {
  const count = sliceCount(image, plane);
  const index = fullestSlice(count, plane, reference ? [reference] : Object.values(predictions), classes);
  const slice = sliceOf(image, plane, index);
  const masksOf = (label: Volume | undefined) => label && classMasks(sliceOf(label, plane, index), classes);
  return {
    note: `${plane} slice ${index + 1} of ${count}`,
    image: slice,
    grey: greyOf(slice, window),
    reference: masksOf(reference),
    predictions: methods.map((method) => masksOf(predictions[method])),
  };
}

/** The slice with the most labelled voxels, the middle one of several; of a scan without any, its middle. */
function fullestSlice(
  count: number,
  plane: Plane,
  labels: readonly Volume[],
  classes: readonly EvaluatedClass[],
): number {
  const values = new Set(classes.flatMap((evaluated) => evaluated.values));
  const counts = labels.map((label) => countInSlices(label, plane, values));
  const totals = Array.from({ length: count }, (_, i) =>
    counts.reduce((sum, slices) => sum + itemAt(slices, i), 0),
  );
  const most = Math.max(...totals);
  const fullest = totals.flatMap((total, i) => (total === most ? [i] : []));
  return itemAt(fullest, Math.floor(fullest.length / 2));
}

function classMasks({ width, height, values }: Slice, classes: readonly EvaluatedClass[]): PixelMask[] {
  return classes.map((evaluated) => ({
    width,
    height,
    values: Uint8Array.from(values, (value) => (evaluated.values.includes(value) ? 1 : 0)),
  }));
}

function greyOf({ values }: Slice, window: readonly [number, number] | undefined): Uint8Array {
  const [low, high] = window ?? percentiles(values);
  const scale = high > low ? 255 / (high - low) : 0;
  return Uint8Array.from(values, (value) => Math.round(Math.min(255, Math.max(0, (value - low) * scale))));
}

function percentiles(values: Float32Array): [number, number] {
  const sorted = values.slice().sort();
  return [percentile(sorted, 0.5), percentile(sorted, 99.5)];
}

/** Mean Dice over the classes that the reference has, of the whole volume. */
function caption(
  prediction: Volume | undefined,
  reference: Volume | undefined,
  classes: readonly EvaluatedClass[],
): string {
  if (!prediction) return 'no prediction';
  if (!reference) return 'no reference';
  const found = classes
    .map(({ values }) => dice(membership(prediction, values), membership(reference, values)))
    .filter((value) => value !== null);
  if (found.length === 0) return 'nothing in the reference';
  return `mean Dice ${percent(found.reduce((sum, value) => sum + value, 0) / found.length)} %`;
}

function membership(label: Volume, values: readonly number[]): Uint8Array {
  const mask = new Uint8Array(voxelCount(label));
  label.data.subarray(0, mask.length).forEach((value, i) => {
    if (values.includes(value)) mask[i] = 1;
  });
  return mask;
}
