import type { DataSet } from 'dicom-parser';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import type { DicomFile } from './dicom-file.js';
import { itemsOf, numbersOf, textOf } from './dicom-image.js';
import { refuseOverlaps } from './dicom-segmentation.js';
import { labelPainter, toRas, voxelsOf } from './label-grid.js';
import { AXES, type Axis, isTriple, mapAxes, type Triple } from './triple.js';
import type { Grid, Volume } from './volume.js';

/** Whether a file holds contours (RTSTRUCT). */
export function isContours({ kind }: DicomFile): boolean {
  return kind === '1.2.840.10008.5.1.4.1.1.481.3';
}

/** How far a contour may lie from the middle of a slice, in slices. */
const planeTolerance = 0.25;

/** How far a voxel's centre may lie from an outline, in voxels, and be on it: coordinates are rounded. */
const outlineTolerance = 1e-3;

/**
 * Reads the contours of a radiotherapy structure set (RTSTRUCT) as a label whose values are the numbers of its
 * regions (ROINumber). A voxel belongs to a region when its centre lies inside a contour or on its outline. Where
 * contours of a region lie in one another, each turns what is inside it round, so that an inner one is a hole.
 * Contours are those of the image's slices: none are made between them.
 * @param onto the grid of the image
 * @param needed whether a region is wanted, by its number; one that is not may overlap others
 * @throws DataError when there is no grid, wanted regions overlap, or a contour is no closed one in a slice of the
 * image
 */
export function readContours(
  { file, header }: DicomFile,
  onto: Grid | undefined,
  needed: (region: number) => boolean = () => true,
): Volume {
  if (!onto) {
    throw new DataError(
      `${file} holds contours (RTSTRUCT), which have no voxels of their own: use it as the label of the image that ` +
        'they were drawn on',
      { file },
    );
  }
  const names = regionNames(header);
  const regions = itemsOf(header, 'x30060039').flatMap((item) => {
    const number = numbersOf(item, 'x30060084')?.[0];
    return number !== undefined && needed(number) ? [{ number, contours: itemsOf(item, 'x30060040') }] : [];
  });
  for (const { number } of regions) {
    if (Number.isInteger(number) && number >= 0 && number <= 65_535) continue;
    throw new DataError(`${file}: a ROINumber is ${number}; expected a whole number from 0 to 65535`, {
      file,
      field: 'ROINumber',
      found: number,
    });
  }
  const painter = labelPainter(onto, Math.max(0, ...regions.map(({ number }) => number)));
  const toVoxel = voxelsOf(onto);
  for (const { number, contours } of regions) {
    if (number === 0) throw zeroRegion(file, names.get(0));
    const name = `${number} (${names.get(number) ?? 'without a name'})`;
    const drawn = contours.flatMap((contour) => closedContour(contour, toVoxel, onto, file, name));
    for (const inSlice of bySlice(drawn)) {
      const { axis, slice } = itemAt(inSlice, 0);
      for (const [u, v] of filled(inSlice, onto, axis)) painter.paint(inAxes(axis, slice, u, v), number);
    }
  }
  refuseOverlaps(painter.overlaps, names, file, 'regions');
  const { size, spacing, affine } = onto;
  return { size, spacing, affine, channels: 1, data: painter.data };
}

const zeroRegion = (file: string, name: string | undefined): DataError =>
  new DataError(
    `${file}: the region "${name ?? ''}" has the number 0, which is background in a label: give it another ROINumber`,
    { file, field: 'ROINumber', found: 0 },
  );

function regionNames(header: DataSet): Map<number, string> {
  return new Map(
    itemsOf(header, 'x30060020').flatMap((item) => {
      const number = numbersOf(item, 'x30060022')?.[0];
      return number === undefined ? [] : [[number, textOf(item, 'x30060026') ?? ''] as const];
    }),
  );
}

/** A contour in voxels of the grid, in the slice of an axis. */
interface Contour {
  readonly axis: Axis;
  readonly slice: number;
  /** Along the two other axes. */
  readonly points: readonly (readonly [u: number, v: number])[];
}

function bySlice(contours: readonly Contour[]): Contour[][] {
  const slices = new Map<string, Contour[]>();
  for (const contour of contours) {
    const key = `${contour.axis} ${contour.slice}`;
    const others = slices.get(key);
    if (others) others.push(contour);
    else slices.set(key, [contour]);
  }
  return [...slices.values()];
}

/** None for points and open lines, which enclose nothing. */
function closedContour(
  contour: DataSet,
  toVoxel: (ras: Triple) => Triple,
  grid: Grid,
  file: string,
  region: string,
): Contour[] {
  const type = textOf(contour, 'x30060042') ?? 'CLOSED_PLANAR';
  const numbers = numbersOf(contour, 'x30060050') ?? [];
  const refuse = (what: string) =>
    new DataError(`${file}: a contour of the region ${region} ${what}`, { file, field: 'ContourData' });
  if (/^(POINT|OPEN_PLANAR|OPEN_NONPLANAR)$/.test(type) || numbers.length === 0) return [];
  if (numbers.length % 3 !== 0 || !numbers.every(Number.isFinite))
    throw refuse('is damaged: its points are not three numbers each; write it anew');
  const points = Array.from({ length: numbers.length / 3 }, (_, i) => {
    const point = numbers.slice(3 * i, 3 * i + 3);
    return isTriple(point) ? toVoxel(toRas(point)) : [];
  }).filter(isTriple);
  const extent = mapAxes(AXES, (along) => {
    const values = points.map((point) => point[along]);
    return { low: Math.min(...values), high: Math.max(...values) };
  });
  const flat = AXES.filter((along) => extent[along].high - extent[along].low <= planeTolerance);
  // A contour of a voxel or less is flat along all; those of a series lie in its slices.
  const axis = flat.includes(2) ? 2 : flat[0];
  if (axis === undefined)
    throw refuse('does not lie in a slice of the image: use the image that it was drawn on');
  const middle = (extent[axis].low + extent[axis].high) / 2;
  const slice = Math.round(middle) + 0;
  if (Math.abs(middle - slice) > planeTolerance) {
    throw refuse(
      `lies ${Math.abs(middle - slice).toFixed(2)} slices from the next slice of the image: use the image that it was drawn on`,
    );
  }
  const within = AXES.every(
    (along) => extent[along].low >= -1 && extent[along].high <= grid.size[along] && slice >= 0,
  );
  if (!within || slice >= grid.size[axis])
    throw refuse('lies outside the image: use the image that it was drawn on');
  const [u, v] = otherAxes(axis);
  return [{ axis, slice, points: points.map((point) => [point[u], point[v]] as const) }];
}

const otherAxes = (axis: Axis): readonly [Axis, Axis] => (axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1]);

function inAxes(axis: Axis, slice: number, u: number, v: number): Triple {
  if (axis === 0) return [slice, u, v];
  return axis === 1 ? [u, slice, v] : [u, v, slice];
}

/** The voxels of a slice that lie in an odd number of contours. */
function filled(contours: readonly Contour[], grid: Grid, axis: Axis): (readonly [u: number, v: number])[] {
  const [width, height] = otherAxes(axis).map((along) => grid.size[along]);
  const odd = new Set<number>();
  for (const { points } of contours) {
    for (const at of insideOf(points, width ?? 0, height ?? 0)) {
      if (!odd.delete(at)) odd.add(at);
    }
  }
  return [...odd].map((at) => [at % (width ?? 1), Math.floor(at / (width ?? 1))] as const);
}

/** Indices u + width * v of the voxels inside a contour or on its outline. */
function insideOf(points: Contour['points'], width: number, height: number): Set<number> {
  const inside = new Set<number>();
  const edges = points.map((point, i) => [point, itemAt(points, (i + 1) % points.length)] as const);
  const rows = points.map(([, v]) => v);
  const first = Math.max(0, Math.ceil(Math.min(...rows) - outlineTolerance));
  const last = Math.min(height - 1, Math.floor(Math.max(...rows) + outlineTolerance));
  const fill = (v: number, from: number, to: number) => {
    const end = Math.min(width - 1, Math.floor(to + outlineTolerance));
    for (let u = Math.max(0, Math.ceil(from - outlineTolerance)); u <= end; u++) inside.add(u + width * v);
  };
  for (let v = first; v <= last; v++) {
    const crossings: number[] = [];
    for (const [[u0, v0], [u1, v1]] of edges) {
      if (v0 <= v !== v1 <= v) crossings.push(u0 + ((v - v0) / (v1 - v0)) * (u1 - u0));
      // What lies along a row, or ends on it, is outline and not crossed.
      const [low, high] = [Math.min(v0, v1), Math.max(v0, v1)];
      if (high - low <= outlineTolerance && Math.abs(v - v0) <= outlineTolerance)
        fill(v, Math.min(u0, u1), Math.max(u0, u1));
      else if (Math.abs(v - v0) <= outlineTolerance) fill(v, u0, u0);
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) fill(v, itemAt(crossings, i), itemAt(crossings, i + 1));
  }
  return inside;
}
