import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import type { DicomFrame } from './dicom-image.js';
import { AXES, mapAxes, type Triple } from './triple.js';

/** A slice with its place, which was checked. */
export interface PlacedSlice extends DicomFrame {
  readonly position: Triple;
  readonly directions: readonly [row: Triple, column: Triple];
  readonly spacing: readonly [columns: number, rows: number];
}

/** What to do about slices that span no space. */
export const dicomRemedy =
  'correct ImageOrientationPatient, ImagePositionPatient and PixelSpacing, or convert the files again';

/** Gaps that differ by more than this share of the usual one are missing or doubled slices, not rounding. */
const gapTolerance = 0.1;

/** Directions are written with six digits or so. */
const directionTolerance = 1e-3;

/** Positions are written with three decimals or more. */
const sidewaysToleranceMm = 0.1;

/** Pixel spacings that differ by this share move the last pixel of a row by half of one. */
const spacingTolerance = 1e-3;

/**
 * The slices of a series in the order of their place along their normal.
 * @param slices one or more
 * @throws DataError when one does not say where it lies, they differ in direction or spacing, or do not lie at
 * even distances straight above one another
 */
export function orderedSlices(slices: readonly DicomFrame[], folder: string): PlacedSlice[] {
  const placed = requirePlaces(slices);
  const first = itemAt(placed, 0);
  requireUpright(first);
  for (const slice of placed) refuseOther(slice, first);
  if (placed.length === 1) return placed;
  const ordered = placed.map((slice) => ({ slice, at: along(slice, first) })).sort((a, b) => a.at - b.at);
  refuseDoubled(ordered, folder);
  refuseGaps(ordered, folder);
  refuseTilt(ordered, folder);
  return ordered.map(({ slice }) => slice);
}

/**
 * The same slices, where each says its place.
 * @throws DataError naming the first that does not
 */
export function requirePlaces(slices: readonly DicomFrame[]): PlacedSlice[] {
  return slices.map(requirePlace);
}

/** For sentences: the file, and which of its frames where it has several. */
export function nameOf({ file, index }: DicomFrame, frames: number): string {
  return frames > 1 ? `frame ${index + 1} of ${file}` : file;
}

interface Along {
  readonly slice: PlacedSlice;
  /** mm along the normal. */
  readonly at: number;
}

function requirePlace(slice: DicomFrame, index: number, slices: readonly DicomFrame[]): PlacedSlice {
  const { file, position, directions, spacing } = slice;
  if (position && directions && spacing) return { ...slice, position, directions, spacing };
  const missing = [
    ...(position ? [] : ['ImagePositionPatient']),
    ...(directions ? [] : ['ImageOrientationPatient']),
    ...(spacing ? [] : ['PixelSpacing']),
  ];
  const frames = slices.filter((other) => other.file === file).length;
  throw new DataError(
    `${nameOf(slices[index] ?? slice, frames)} does not say where it lies (${missing.join(', ')}): ` +
      'a volume cannot be made of it',
    { file, field: missing[0] ?? '' },
  );
}

function requireUpright({ file, directions: [row, column] }: PlacedSlice): void {
  const cosine = row.reduce((sum, n, axis) => sum + n * itemAt(column, axis), 0);
  if (Math.abs(cosine) <= directionTolerance) return;
  throw new DataError(
    `${file}: ImageOrientationPatient is ${[...row, ...column].join('\\')}; expected two directions at a right angle`,
    { file, field: 'ImageOrientationPatient', found: [row, column] },
  );
}

function refuseOther(slice: PlacedSlice, first: PlacedSlice): void {
  const { file } = slice;
  const turned = slice.directions.some((direction, i) =>
    direction.some((n, axis) => Math.abs(n - itemAt(itemAt(first.directions, i), axis)) > directionTolerance),
  );
  if (turned) {
    throw new DataError(
      `${file} lies in another direction than ${first.file} of the same series: ` +
        'remove what is no slice, such as a scout image',
      { file, field: 'ImageOrientationPatient', found: slice.directions },
    );
  }
  if (slice.spacing.every((mm, i) => Math.abs(mm / itemAt(first.spacing, i) - 1) <= spacingTolerance)) return;
  throw new DataError(
    `${file} has pixels of ${slice.spacing.join(' x ')} mm, but ${first.file} of the same series has ` +
      `${first.spacing.join(' x ')} mm: remove what is no slice`,
    { file, field: 'PixelSpacing', found: slice.spacing, expected: first.spacing },
  );
}

/** What is nearer than this share of the usual gap is at the same place. */
const samePlace = 0.05;

/** Says of several volumes in one series that they are that, and of single doubles which they are. */
function refuseDoubled(ordered: readonly Along[], folder: string): void {
  const gaps = ordered.slice(1).map(({ at }, i) => at - itemAt(ordered, i).at);
  const usual = usualOf(gaps.filter((mm) => mm > 1e-3));
  const places: Along[][] = [];
  for (const slice of ordered) {
    const last = places.at(-1);
    if (last && slice.at - itemAt(last, 0).at <= Math.max(1e-3, samePlace * (usual ?? 0))) last.push(slice);
    else places.push([slice]);
  }
  const most = Math.max(...places.map(({ length }) => length));
  if (most === 1) return;
  const doubled = places.find(({ length }) => length > 1) ?? [];
  const files = doubled.map(({ slice }) => slice);
  const [a, b] = [itemAt(files, 0), itemAt(files, 1)];
  const even = places.every(({ length }) => length === most);
  const names = new Set(files.flatMap(({ marks }) => [...marks.keys()]));
  const differing = [...names].filter((name) => new Set(files.map(({ marks }) => marks.get(name))).size > 1);
  const frames = (file: string) => ordered.filter(({ slice }) => slice.file === file).length;
  const pair = `${nameOf(a, frames(a.file))} and ${nameOf(b, frames(b.file))}`;
  const count = ordered.length;
  throw new DataError(
    even || most > 2
      ? `the DICOM series in ${folder} holds ${count} slices at ${places.length} place${places.length === 1 ? '' : 's'}, ` +
          `${even ? most : `up to ${most}`} at each, so that it is several volumes, such as times, echoes or phases` +
          `${differing.length > 0 ? ` (its slices differ in ${differing.join(', ')})` : ''}: ` +
          (a.file === b.file
            ? 'convert them to NIfTI, each volume to a file of its own, such as with dcm2niix'
            : 'move each volume into a folder of its own')
      : `the DICOM series in ${folder} is not evenly spaced: 0.00 mm between ${pair}` +
          `${usual === undefined ? '' : `, ${usual.toFixed(2)} mm elsewhere`}; slices are doubled: remove one of the two`,
    { file: folder, field: 'ImagePositionPatient', found: count, expected: places.length },
  );
}

/** The middle of some distances; undefined where there are none. */
function usualOf(distances: readonly number[]): number | undefined {
  return [...distances].sort((a, b) => a - b)[Math.floor(distances.length / 2)];
}

/**
 * ITK would place the slices that are there evenly over the range, and put every organ at the wrong height.
 */
function refuseGaps(ordered: readonly Along[], folder: string): void {
  const gaps = ordered.slice(1).map(({ slice, at }, i) => {
    const before = itemAt(ordered, i);
    return { mm: at - before.at, between: [before.slice, slice] as const };
  });
  const usual = usualOf(gaps.map(({ mm }) => mm)) ?? 0;
  const odd = gaps.find(({ mm }) => Math.abs(mm - usual) > gapTolerance * usual);
  const refuse = (what: string, found: number) =>
    new DataError(`the DICOM series in ${folder} is not evenly spaced: ${what}`, {
      file: folder,
      field: 'ImagePositionPatient',
      found,
      expected: usual,
    });
  if (odd) {
    const frames = (file: string) => ordered.filter(({ slice }) => slice.file === file).length;
    const [a, b] = odd.between.map((slice) => nameOf(slice, frames(slice.file)));
    throw refuse(
      `${odd.mm.toFixed(2)} mm between ${a} and ${b}, ${usual.toFixed(2)} mm elsewhere; slices are missing or doubled`,
      odd.mm,
    );
  }
  // Gaps that drift add up: a grid of even slices would put those in the middle elsewhere.
  const first = itemAt(ordered, 0).at;
  const mean = (itemAt(ordered, ordered.length - 1).at - first) / (ordered.length - 1);
  const away = ordered.map(({ at }, i) => Math.abs(at - (first + i * mean)));
  const most = Math.max(...away);
  if (most <= driftTolerance * mean) return;
  const mm = gaps.map((gap) => gap.mm);
  throw refuse(
    `its gaps are ${Math.min(...mm).toFixed(2)} to ${Math.max(...mm).toFixed(2)} mm, so that slices lie up to ` +
      `${most.toFixed(2)} mm from where even ones would; resample it to even slices first`,
    most,
  );
}

/** Share of a slice's distance that a slice may lie away from its even place. */
const driftTolerance = 0.25;

/**
 * ITK would put slices that lie aside of one another straight above one another, and shear the patient.
 * Slices aside are those of a tilted gantry, whose table moves along another line than the slices' normal.
 */
function refuseTilt(ordered: readonly Along[], folder: string): void {
  const first = itemAt(ordered, 0);
  const sideways = ordered.map(({ slice, at }) => {
    const to = mapAxes(AXES, (world) => slice.position[world] - first.slice.position[world]);
    return { slice, at, mm: Math.sqrt(Math.max(0, squared(to) - (at - first.at) ** 2)) };
  });
  const aside = sideways.find(({ mm }) => mm > sidewaysToleranceMm);
  if (!aside) return;
  const last = itemAt(sideways, sideways.length - 1);
  const degrees = (Math.atan2(last.mm, last.at - first.at) * 180) / Math.PI;
  throw new DataError(
    last.mm > sidewaysToleranceMm
      ? `the DICOM series in ${folder} was made with a gantry tilted by ${degrees.toFixed(1)} degrees: its slices ` +
          'do not lie straight above one another, so resample it to a straight grid first, as dcm2niix does'
      : `${aside.slice.file} lies ${aside.mm.toFixed(2)} mm aside of the other slices of its series: ` +
          'remove what is no slice',
    { file: folder, field: 'ImagePositionPatient', found: degrees, expected: 0 },
  );
}

const squared = (vector: Triple): number => vector.reduce((sum, mm) => sum + mm * mm, 0);

/** The direction that the slices of a series are stacked along, LPS. */
export function normalOf({ directions: [row, column] }: Pick<PlacedSlice, 'directions'>): Triple {
  const [[a, b, c], [d, e, f]] = [row, column];
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

/** mm along the normal of the series' first slice. */
function along({ position }: PlacedSlice, first: PlacedSlice): number {
  const normal = normalOf(first);
  return position.reduce((sum, mm, axis) => sum + mm * itemAt(normal, axis), 0);
}
