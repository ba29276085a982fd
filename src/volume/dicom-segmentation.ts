import { byteAt, itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { checkAffine, spacingOf } from './affine.js';
import { type DicomFile, inflatedData, isBigEndian, isNative } from './dicom-file.js';
import { type DicomImage, imageOf, itemsOf, textOf } from './dicom-image.js';
import { bytesOfFile } from './dicom-pixels.js';
import { dicomRemedy, normalOf, type PlacedSlice, requirePlaces } from './dicom-slices.js';
import { lpsToRas } from './itk-volume.js';
import { isWithin, labelPainter, rounded, toRas, voxelsOf, voxelTolerance } from './label-grid.js';
import { AXES, mapAxes, type Triple } from './triple.js';
import type { Grid, Volume } from './volume.js';

/** Whether a file is a segmentation: of one bit a segment, or a map of labels. */
export function isSegmentation({ kind }: DicomFile): boolean {
  return /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.[47]$/.test(kind);
}

/**
 * Reads a DICOM segmentation (SEG) as a label whose values are the numbers of the segments. Frames that hold nothing
 * are mostly left out of such a file, so that it is laid into the grid of its image, voxel on voxel.
 * @param onto the grid of the image; absent: the smallest even stack that holds every frame
 * @param needed whether a segment is wanted, by its number; one that is not may overlap others
 * @throws DataError when wanted segments overlap or are fractional, a frame does not lie on the grid, or the file is
 * compressed
 */
export async function readSegmentation(
  found: DicomFile,
  onto: Grid | undefined,
  needed: (segment: number) => boolean = () => true,
): Promise<Volume> {
  const { file, header } = found;
  const image = imageOf(found);
  if (!image)
    throw new DataError(`${file} is a segmentation without pixels; copy or download it again`, { file });
  const type = textOf(header, 'x00620001') ?? 'BINARY';
  if (type === 'FRACTIONAL') {
    throw new DataError(
      `${file} is a fractional segmentation, which says how likely each voxel is; expected one of type BINARY or ` +
        'LABELMAP, so decide on a threshold and write it as such',
      { file, field: 'SegmentationType', found: type },
    );
  }
  if (!isNative(image.syntax)) {
    throw new DataError(
      `${file}: its transfer syntax ${image.syntax} is compressed, which is not read of a segmentation: decompress it ` +
        'first, such as with decompress() of pydicom',
      { file, field: 'TransferSyntaxUID', found: image.syntax },
    );
  }
  const names = segmentNames(found);
  const numbers = type === 'LABELMAP' ? [] : segmentNumbers(found, image);
  const frames = requirePlaces(image.frames);
  const grid = onto ?? ownGrid(frames, image);
  const painter = labelPainter(grid, Math.max(...names.keys(), ...numbers, 1));
  const values = await storedValues(image);
  const length = image.format.columns * image.format.rows;
  for (const [i, frame] of frames.entries()) {
    if (type !== 'LABELMAP' && !needed(itemAt(numbers, i))) continue;
    const place = placeOnGrid(frame, image, grid);
    for (let pixel = 0; pixel < length; pixel++) {
      const stored = values(i * length + pixel);
      if (stored === 0) continue;
      const voxel = place(pixel % image.format.columns, Math.floor(pixel / image.format.columns));
      if (!isWithin(voxel, grid)) throw outside(file, i);
      painter.paint(voxel, type === 'LABELMAP' ? stored : itemAt(numbers, i));
    }
  }
  refuseOverlaps(painter.overlaps, names, file, 'segments');
  const { size, spacing, affine } = grid;
  return { size, spacing, affine, channels: 1, data: painter.data };
}

/**
 * Refuses regions that claim one voxel: a label holds one value there.
 * @param what the regions are, for the sentence
 * @throws DataError naming the two that overlap most
 */
export function refuseOverlaps(
  overlaps: ReadonlyMap<string, number>,
  names: ReadonlyMap<number, string>,
  file: string,
  what: string,
): void {
  const most = [...overlaps].sort(([, a], [, b]) => b - a)[0];
  if (!most) return;
  const [pair, voxels] = most;
  const described = pair
    .split(' ')
    .map((number) => `${number} (${names.get(Number(number)) ?? 'without a name'})`);
  throw new DataError(
    `${file}: the ${what} ${described.join(' and ')} overlap in ${voxels} voxels, and a label holds one value a voxel: ` +
      `leave out the one that is not needed, with "labelMap" to 0, or write ${what} that do not overlap`,
    { file, field: what, found: pair },
  );
}

/** Labels of segments by their numbers. */
function segmentNames({ header }: DicomFile): Map<number, string> {
  return new Map(
    itemsOf(header, 'x00620002').flatMap((segment) => {
      const number = segment.uint16('x00620004');
      return number === undefined ? [] : [[number, textOf(segment, 'x00620005') ?? ''] as const];
    }),
  );
}

/** The segment of each frame. */
function segmentNumbers({ file, header }: DicomFile, { frames }: DicomImage): number[] {
  const each = itemsOf(header, 'x52009230');
  const shared = itemsOf(header, 'x52009229')[0];
  return frames.map((_, i) => {
    const of = (elements: (typeof each)[number] | undefined) =>
      itemsOf(elements, 'x0062000a')[0]?.uint16('x0062000b');
    const number = of(each[i]) ?? of(shared);
    if (number !== undefined && number > 0) return number;
    throw new DataError(
      `${file}: frame ${i + 1} does not say which segment it is of (ReferencedSegmentNumber)`,
      {
        file,
        field: 'ReferencedSegmentNumber',
      },
    );
  });
}

/** What is stored for a pixel, counted over all frames. Bits follow one another over the ends of frames. */
async function storedValues({
  file,
  syntax,
  pixels,
  format,
  frames,
}: DicomImage): Promise<(pixel: number) => number> {
  const { bitsAllocated, columns, rows } = format;
  const length = Math.ceil((columns * rows * frames.length * bitsAllocated) / 8);
  const bytes =
    pixels.deflatedAt === undefined
      ? await bytesOfFile(file, pixels.offset, pixels.offset + length + (length % 2))
      : (await inflatedData(file, pixels.deflatedAt)).subarray(pixels.offset, pixels.offset + length);
  if (isBigEndian(syntax) && (bitsAllocated === 16 || pixels.words)) {
    if (bytes.length % 2 === 0) bytes.swap16();
  }
  if (bitsAllocated === 1) return (pixel) => (byteAt(bytes, pixel >> 3) >> (pixel & 7)) & 1;
  if (bitsAllocated === 8) return (pixel) => byteAt(bytes, pixel);
  if (bitsAllocated === 16) return (pixel) => bytes.readUInt16LE(2 * pixel);
  throw new DataError(`${file}: BitsAllocated is ${bitsAllocated}; expected 1, 8 or 16 in a segmentation`, {
    file,
    field: 'BitsAllocated',
    found: bitsAllocated,
  });
}

/** Where the pixels of a frame are on a grid, by column and row. */
function placeOnGrid(
  { position, directions, spacing, index }: PlacedSlice,
  { file, format }: DicomImage,
  grid: Grid,
): (column: number, row: number) => Triple {
  const toVoxel = voxelsOf(grid);
  const at = (column: number, row: number): Triple =>
    toVoxel(
      toRas(
        mapAxes(
          AXES,
          (world) =>
            position[world] +
            directions[0][world] * spacing[0] * column +
            directions[1][world] * spacing[1] * row,
        ),
      ),
    );
  const [width, height] = [Math.max(1, format.columns - 1), Math.max(1, format.rows - 1)];
  const first = at(0, 0);
  const corner = rounded(first).voxel;
  const steps = [
    { far: at(width, 0), pixels: width },
    { far: at(0, height), pixels: height },
  ].map(({ far, pixels }) => {
    const step = mapAxes(far, (n, axis) => (n - first[axis]) / pixels);
    const { voxel, apart } = rounded(step);
    return { voxel, whole: apart * pixels <= voxelTolerance && Math.hypot(...voxel) === 1 };
  });
  const { apart } = rounded(first);
  const whole = steps.every((step) => step.whole);
  if (apart > voxelTolerance || !whole) {
    throw new DataError(
      `${file}: frame ${index + 1} does not lie voxel on voxel on its image: ` +
        (whole
          ? `it lies ${apart.toFixed(2)} voxels aside`
          : `its pixels of ${spacing.join(' x ')} mm are other ones than the image's`) +
        '; use the image that it was drawn on, or resample it to the grid of this one',
      { file, field: 'ImagePositionPatient', found: position },
    );
  }
  const [across, down] = [itemAt(steps, 0).voxel, itemAt(steps, 1).voxel];
  return (column, row) => mapAxes(corner, (n, axis) => n + across[axis] * column + down[axis] * row);
}

const outside = (file: string, frame: number): DataError =>
  new DataError(
    `${file}: frame ${frame + 1} marks voxels outside its image: use the image that it was drawn on`,
    { file, field: 'ImagePositionPatient' },
  );

/** The smallest even stack of slices that holds every frame. */
function ownGrid(frames: readonly PlacedSlice[], { file, format }: DicomImage): Grid {
  const first = itemAt(frames, 0);
  const normal = normalOf(first);
  const along = ({ position }: PlacedSlice) =>
    mapAxes(AXES, (world) => position[world] * normal[world]).reduce((sum, mm) => sum + mm, 0);
  const ordered = [...frames].sort((a, b) => along(a) - along(b));
  const lowest = itemAt(ordered, 0);
  const places = ordered.map((frame) => along(frame) - along(lowest));
  const gaps = places
    .slice(1)
    .map((mm, i) => mm - itemAt(places, i))
    .filter((mm) => mm > 1e-3);
  const mm = Math.min(first.thickness ?? Number.POSITIVE_INFINITY, ...gaps);
  const step = Number.isFinite(mm) ? mm : 1;
  const most = Math.max(...places.map((place) => Math.abs(place / step - Math.round(place / step))));
  if (most > voxelTolerance) {
    throw new DataError(
      `${file}: its frames do not lie on even slices ${step.toFixed(2)} mm apart, so that it has no grid of its own: ` +
        'use it as the label of the image that it was drawn on',
      { file, field: 'ImagePositionPatient', found: places },
    );
  }
  const [row, column] = first.directions;
  const [x, y, z] = [
    mapAxes(row, (n) => n * first.spacing[0]),
    mapAxes(column, (n) => n * first.spacing[1]),
    mapAxes(normal, (n) => n * step),
  ];
  const affine = lpsToRas({
    rows: AXES.flatMap((world) => [x, y, z, lowest.position].map((vector) => vector[world])),
  });
  checkAffine(affine, file, dicomRemedy);
  const slices = Math.round(itemAt(places, places.length - 1) / step) + 1;
  return { size: [format.columns, format.rows, slices], spacing: spacingOf(affine), affine };
}
