import { itemAt } from '../../at.js';
import { dice, type EvaluatedClass } from '../../evaluation/index.js';
import { percentile, type Volume, voxelCount } from '../../volume/index.js';
import { percent } from '../table.js';
import type { PixelMask } from './label-contour.js';
import { countInSlices, type Plane, patientSpacing, type Slice, sliceCount, sliceOf } from './slice.js';

/** A case of the figure. All its volumes lie on one grid. */
export interface ContourPanel {
  readonly caseName: string;
  /** Its first channel is shown. */
  readonly image: Volume;
  /** Label values; absent where nobody has drawn the organs. */
  readonly reference?: Volume | undefined;
  /** Label values by the name of the method; each method is a column of the figure. */
  readonly predictions: Readonly<Record<string, Volume>>;
  /** What its labels mean, where cases of the figure differ in that; absent: the figure's classes. */
  readonly classes?: readonly EvaluatedClass[] | undefined;
  /** The window of its image, likewise. */
  readonly window?: readonly [number, number] | undefined;
}

/** What is shown of a case. */
export interface ContourRow {
  readonly caseName: string;
  /** Spacing of its voxels, and what is shown as black and white. */
  readonly facts: string;
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
  /** Further slices until each class of the reference is seen in one; else one slice a plane. */
  readonly everyClass?: boolean | undefined;
}

/**
 * The slices of a case with the most voxels of its reference, or of its predictions where there is none. A
 * class of the figure that the case has no values for has an empty mask there.
 */
export function contourRow(panel: ContourPanel, figure: ContourChoice): ContourRow {
  const choice = choiceOf(panel, figure);
  return {
    caseName: panel.caseName,
    facts: `${patientSpacing(panel.image).map(shortNumber).join(' x ')} mm, window ${windowText(choice.window)}`,
    slices: choice.planes.flatMap((plane) =>
      shownSlices(panel, plane, choice).map((index) => shownSlice(panel, plane, index, choice)),
    ),
    captions: choice.methods.map((method) =>
      caption(panel.predictions[method], panel.reference, choice.classes),
    ),
  };
}

const shortNumber = (value: number): string => String(Number(value.toPrecision(3)));

const windowText = (window: ContourChoice['window']): string =>
  window ? window.map(shortNumber).join(' to ') : 'from percentile 0.5 to 99.5 of the slice';

/** The figure's classes with the values that they have in this case, and its window. */
function choiceOf({ classes, window }: ContourPanel, figure: ContourChoice): ContourChoice {
  return {
    ...figure,
    ...(window && { window }),
    ...(classes && {
      classes: figure.classes.map(({ name }) => ({
        name,
        values: classes.find((own) => own.name === name)?.values ?? [],
      })),
    }),
  };
}

/** Numbers of the slices of a plane that are shown, in the order of the body. */
function shownSlices(
  { image, reference, predictions }: ContourPanel,
  plane: Plane,
  { classes, everyClass }: ContourChoice,
): number[] {
  const count = sliceCount(image, plane);
  const labels = reference ? [reference] : Object.values(predictions);
  const shown = [fullestSlice(count, plane, labels, classes)];
  if (!everyClass) return shown;
  const voxels = classes.map(({ values }) => voxelsInSlices(count, plane, labels, new Set(values)));
  for (;;) {
    const unseen = voxels.filter(
      (slices) => shown.every((i) => itemAt(slices, i) === 0) && slices.some(Boolean),
    );
    if (unseen.length === 0) return shown.sort((a, b) => a - b);
    shown.push(sliceWithMost(unseen, count));
  }
}

/** The slice that has most of some classes, and of several such the one with the most of their voxels. */
function sliceWithMost(classes: readonly (readonly number[])[], count: number): number {
  const scores = Array.from({ length: count }, (_, i) => {
    const here = classes.map((slices) => itemAt(slices, i));
    return [here.filter(Boolean).length, here.reduce((sum, voxels) => sum + voxels, 0)] as const;
  });
  return scores.reduce((best, [found, voxels], i) => {
    const [mostFound, mostVoxels] = itemAt(scores, best);
    return found > mostFound || (found === mostFound && voxels > mostVoxels) ? i : best;
  }, 0);
}

function shownSlice(
  { image, reference, predictions }: ContourPanel,
  plane: Plane,
  index: number,
  { methods, classes, window }: ContourChoice,
): ShownSlice {
  const count = sliceCount(image, plane);
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
  const totals = voxelsInSlices(
    count,
    plane,
    labels,
    new Set(classes.flatMap((evaluated) => evaluated.values)),
  );
  const most = Math.max(...totals);
  const fullest = totals.flatMap((total, i) => (total === most ? [i] : []));
  return itemAt(fullest, Math.floor(fullest.length / 2));
}

/** Voxels of some values in each slice, of all labels together. */
function voxelsInSlices(
  count: number,
  plane: Plane,
  labels: readonly Volume[],
  values: ReadonlySet<number>,
): number[] {
  const counts = labels.map((label) => countInSlices(label, plane, values));
  return Array.from({ length: count }, (_, i) => counts.reduce((sum, slices) => sum + itemAt(slices, i), 0));
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
