import { DataError } from '../errors.js';

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
}

/** Gaps that differ by more than this share of the usual one are missing or doubled slices, not rounding. */
const gapTolerance = 0.1;

/** Directions are written with six digits or so. */
const directionTolerance = 1e-3;

/**
 * The slices in the order of their place along the series' normal.
 * @throws DataError when there are none, they belong to several series, differ in size or direction, or do not lie at even distances
 */
export function orderedSlices(slices: readonly DicomSlice[], folder: string): DicomSlice[] {
  const first = slices[0];
  if (!first)
    throw new DataError(`the folder ${folder} holds no DICOM file: a folder given as a scan must hold the slices of one series`, { file: folder });
  const series = new Set(slices.map((slice) => slice.series));
  if (series.size > 1) {
    throw new DataError(`the folder ${folder} holds ${series.size} DICOM series, but one is expected: move each series into a folder of its own`, {
      file: folder,
      found: [...series],
    });
  }
  if (slices.length === 1) return [first]; // which may hold all slices, and says elsewhere where they lie
  for (const slice of slices) refuseOther(slice, first);
  const ordered = slices.map((slice) => ({ slice, at: along(slice) })).sort((a, b) => a.at - b.at);
  refuseGaps(ordered, folder);
  return ordered.map(({ slice }) => slice);
}

function refuseOther(slice: DicomSlice, first: DicomSlice): void {
  if (slice.size.some((n, axis) => n !== first.size[axis])) {
    throw new DataError(
      `${slice.file} has ${slice.size.join('x')} pixels, but ${first.file} of the same series has ${first.size.join('x')}: remove what is no slice`,
      {
        file: slice.file,
        found: slice.size,
        expected: first.size,
      },
    );
  }
  const known = slice.position.length === 3 && slice.directions.length === 6 && [...slice.position, ...slice.directions].every(Number.isFinite);
  if (known && slice.directions.every((n, i) => Math.abs(n - first.directions[i]!) <= directionTolerance)) return;
  throw new DataError(
    known
      ? `${slice.file} lies in another direction than ${first.file} of the same series: remove what is no slice, such as a scout image`
      : `${slice.file} does not say where it lies (ImagePositionPatient, ImageOrientationPatient): a volume cannot be made of it`,
    { file: slice.file, found: slice.directions },
  );
}

/** mm along the normal of the slice. */
function along({ position, directions }: DicomSlice): number {
  const [a, b, c, d, e, f] = directions as [number, number, number, number, number, number];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  return normal.reduce((sum, n, axis) => sum + n * position[axis]!, 0);
}

/** ITK would spread the slices that are there evenly over the range, and put every organ at the wrong height. */
function refuseGaps(ordered: readonly { readonly slice: DicomSlice; readonly at: number }[], folder: string): void {
  const gaps = ordered.slice(1).map(({ at }, i) => at - ordered[i]!.at);
  const usual = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!;
  const odd = gaps.findIndex((gap) => !(Math.abs(gap - usual) <= gapTolerance * usual));
  if (odd === -1 && usual > 0) return;
  const [before, after] = [ordered[Math.max(0, odd)]!.slice.file, ordered[Math.max(0, odd) + 1]!.slice.file];
  throw new DataError(
    `the DICOM series in ${folder} is not evenly spaced: ${gaps[Math.max(0, odd)]!.toFixed(2)} mm between ${before} and ${after}, ${usual.toFixed(2)} mm elsewhere; slices are missing or doubled`,
    { file: folder, found: gaps[Math.max(0, odd)], expected: usual },
  );
}
