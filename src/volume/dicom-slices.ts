import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { AXES, mapAxes, type Triple } from './triple.js';

/** What the header of one slice says. */
export interface DicomSlice {
  readonly file: string;
  /** SeriesInstanceUID. */
  readonly series: string;
  /** ImagePositionPatient, mm, LPS. */
  readonly position: readonly number[];
  /** ImageOrientationPatient: directions of a row and of a column. */
  readonly directions: readonly number[];
  /** Columns and rows. */
  readonly size: readonly number[];
  /** NumberOfFrames; 1 where it is not said. */
  readonly frames: number;
  /** RescaleSlope and RescaleIntercept; 1 and 0 where they are not said. */
  readonly rescale: readonly [slope: number, intercept: number];
}

/** Gaps that differ by more than this share of the usual one are missing or doubled slices, not rounding. */
const gapTolerance = 0.1;

/** Directions are written with six digits or so. */
const directionTolerance = 1e-3;

/**
 * The slices in the order of their place along the series' normal.
 * @throws DataError when there are none, they belong to several series, differ in size or direction, or do
 * not lie at even distances straight above one another
 */
export function orderedSlices(slices: readonly DicomSlice[], folder: string): DicomSlice[] {
  const first = slices[0];
  if (!first) {
    throw new DataError(
      `the folder ${folder} holds no DICOM file: a folder given as a scan must hold the slices of one series`,
      { file: folder },
    );
  }
  const series = new Set(slices.map((slice) => slice.series));
  if (series.size > 1) {
    throw new DataError(
      `the folder ${folder} holds ${series.size} DICOM series, but one is expected: ` +
        'move each series into a folder of its own',
      { file: folder, found: [...series] },
    );
  }
  if (slices.length === 1) return [first]; // which may hold all slices, and says elsewhere where they lie
  for (const slice of slices) refuseOther(slice, first);
  const ordered = slices.map((slice) => ({ slice, at: along(slice) })).sort((a, b) => a.at - b.at);
  refuseGaps(ordered, folder);
  refuseTilt(
    ordered.map(({ slice }) => slice),
    folder,
  );
  return ordered.map(({ slice }) => slice);
}

function refuseOther(slice: DicomSlice, first: DicomSlice): void {
  if (slice.size.some((n, axis) => n !== first.size[axis])) {
    throw new DataError(
      `${slice.file} has ${slice.size.join('x')} pixels, but ${first.file} of the same series has ` +
        `${first.size.join('x')}: remove what is no slice`,
      { file: slice.file, found: slice.size, expected: first.size },
    );
  }
  const { position, directions } = slice;
  const known =
    position.length === 3 && directions.length === 6 && [...position, ...directions].every(Number.isFinite);
  if (known && directions.every((n, i) => Math.abs(n - itemAt(first.directions, i)) <= directionTolerance))
    return;
  throw new DataError(
    known
      ? `${slice.file} lies in another direction than ${first.file} of the same series: ` +
          'remove what is no slice, such as a scout image'
      : `${slice.file} does not say where it lies (ImagePositionPatient, ImageOrientationPatient): ` +
          'a volume cannot be made of it',
    { file: slice.file, found: directions },
  );
}

/** Positions are written with three decimals or more. */
const sidewaysToleranceMm = 0.1;

/**
 * ITK would put slices that lie aside of one another straight above one another, and shear the patient.
 * Slices aside are those of a tilted gantry, whose table moves along another line than the slices' normal.
 */
function refuseTilt(ordered: readonly DicomSlice[], folder: string): void {
  const first = itemAt(ordered, 0);
  const sideways = ordered.map((slice) => {
    const to = mapAxes(AXES, (world) => itemAt(slice.position, world) - itemAt(first.position, world));
    return { slice, mm: Math.sqrt(Math.max(0, squared(to) - (along(slice) - along(first)) ** 2)) };
  });
  const aside = sideways.find(({ mm }) => mm > sidewaysToleranceMm);
  if (!aside) return;
  const last = itemAt(sideways, sideways.length - 1);
  const degrees = (Math.atan2(last.mm, along(last.slice) - along(first)) * 180) / Math.PI;
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

/** Whether slices have slopes or intercepts of their own, as those of PET do. */
export function differsInRescale(slices: readonly DicomSlice[]): boolean {
  const [slope, intercept] = itemAt(slices, 0).rescale;
  return slices.some(({ rescale }) => rescale[0] !== slope || rescale[1] !== intercept);
}

/** mm along the normal of the slice. */
function along({ position, directions }: DicomSlice): number {
  const [[a, b, c], [d, e, f]] = [unitVector(directions, 0), unitVector(directions, 3)];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  return normal.reduce((sum, n, axis) => sum + n * itemAt(position, axis), 0);
}

const unitVector = (directions: readonly number[], first: number): Triple =>
  mapAxes(AXES, (world) => itemAt(directions, first + world));

/**
 * ITK would place the slices that are there evenly over the range, and put every organ at the wrong height.
 */
function refuseGaps(
  ordered: readonly { readonly slice: DicomSlice; readonly at: number }[],
  folder: string,
): void {
  const gaps = ordered.slice(1).map(({ slice, at }, i) => {
    const before = itemAt(ordered, i);
    return { mm: at - before.at, files: `${before.slice.file} and ${slice.file}` };
  });
  const ascending = gaps.map(({ mm }) => mm).sort((a, b) => a - b);
  const usual = itemAt(ascending, Math.floor(gaps.length / 2));
  const odd = gaps.find(({ mm }) => !(Math.abs(mm - usual) <= gapTolerance * usual));
  if (!odd && usual > 0) return;
  const { mm, files } = odd ?? itemAt(gaps, 0);
  throw new DataError(
    `the DICOM series in ${folder} is not evenly spaced: ${mm.toFixed(2)} mm between ${files}, ` +
      `${usual.toFixed(2)} mm elsewhere; slices are missing or doubled`,
    { file: folder, found: mm, expected: usual },
  );
}
