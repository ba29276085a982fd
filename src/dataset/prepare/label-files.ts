import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  AXES,
  type Axis,
  closestToRas,
  composeAffines,
  type Grid,
  invertAffine,
  mapAxes,
  type Orientation,
  openLabelSlices,
  readLabel,
  resampleToGrid,
  type Volume,
  type VolumeSlices,
  type VoxelArray,
  voxelCount,
} from '../../volume/index.js';
import type { LabelMap } from '../index/dataset-file.js';
import type { Masks } from '../index/listed-case.js';
import { countsAsClass, requireOneChannel } from './label-values.js';
import { describeGrid, gridDifference, requireSameGrid, sameVoxels } from './same-grid.js';

/** The label of a case: a file, or masks. */
export interface LabelFiles {
  /** The file, or what the masks were found by, for sentences. */
  readonly label: string;
  readonly masks?: Masks | undefined;
  /** Whether it lies voxel on voxel on the image whatever the headers say. */
  readonly aligned?: boolean | undefined;
  /** What its values become: regions of DICOM that become background may overlap others. */
  readonly labelMap?: LabelMap | undefined;
}

/** A label that is read slice by slice, on the voxels of its image, perhaps in another order. */
export interface PlacedLabel {
  readonly slices: VolumeSlices;
  /** How its axes run: as those of the image, in the label's order. */
  readonly orientation: Orientation;
}

/**
 * Opens a label on the grid of its image. One whose axes run another way over the same voxels is read in its own
 * order, with the image's geometry: an exact permutation, no resampling.
 * @throws DataError when it cannot be read, has several channels, or lies elsewhere than its image
 */
export async function openLabelOnGrid(
  files: LabelFiles,
  image: Grid,
  imageFile: string,
): Promise<PlacedLabel> {
  const slices = files.masks
    ? await openMasks(files.masks)
    : await openLabelSlices(files.label, targetOf(files, image));
  requireOneChannel(slices, files.label);
  if (placementOf(slices, image, files, imageFile) === 'same-order') {
    const { spacing, affine } = image;
    return { slices: { ...slices, spacing, affine }, orientation: closestToRas(image) };
  }
  const order = axisOrder(slices, image);
  const spacing = mapAxes(order, ({ axis }) => image.spacing[axis]);
  const affine = composeAffines(image.affine, toImageIndex(order, image));
  return { slices: { ...slices, spacing, affine }, orientation: inOrder(closestToRas(image), order) };
}

/**
 * Reads a label onto the grid of its image, as `openLabelOnGrid` does.
 * @throws DataError as `openLabelOnGrid` does
 */
export async function readLabelOnGrid(files: LabelFiles, image: Grid, imageFile: string): Promise<Volume> {
  const label = await readLabelFiles(files, image);
  requireOneChannel(label, files.label);
  const { size, spacing, affine } = image;
  if (placementOf(label, image, files, imageFile) === 'same-order') return { ...label, spacing, affine };
  return { ...resampleToGrid(label, { size, affine }, 'nearest'), spacing, affine };
}

/**
 * The label on its own grid; segmentations and contours in DICOM on that of the image.
 * @throws DataError when a file cannot be read, or masks do not make a label
 */
export async function readLabelFiles(files: LabelFiles, image?: Grid): Promise<Volume> {
  if (files.masks) return wholeOf(await openMasks(files.masks));
  return readLabel(files.label, targetOf(files, image));
}

const targetOf = ({ labelMap }: LabelFiles, grid: Grid | undefined) => ({
  grid,
  needed: countsAsClass(labelMap),
});

/** The files that a label consists of. */
export const labelPaths = ({ label, masks }: Partial<LabelFiles>): readonly string[] =>
  masks ? masks.files.map(({ file }) => file) : label === undefined ? [] : [label];

/**
 * Whether the voxels of a label lie on those of its image in the same order, or in another: axes permuted or
 * flipped.
 * @throws DataError with both geometries when the label lies elsewhere
 */
export function placementOf(
  label: Grid,
  image: Grid,
  { label: file, aligned = false }: LabelFiles,
  imageFile: string,
): 'same-order' | 'other-order' {
  const difference = gridDifference(image, imageFile, label, file, 'label', 'image');
  const sameSize = label.size.every((n, axis) => n === image.size[axis]);
  if (!difference || (aligned && sameSize)) return 'same-order';
  if (sameVoxels(image, label)) return 'other-order';
  if (!sameSize) throw difference;
  const remedy =
    '; where the voxels belong together and a header is wrong, set "aligned": true in the dataset index';
  throw new DataError(
    `${difference.message} (label: ${describeGrid(label)}; image: ${describeGrid(image)})${remedy}`,
    difference.facts,
  );
}

/** For each axis of the label the axis of the image that it runs along, and whether the other way. */
type AxisOrder = readonly [RunsAlong, RunsAlong, RunsAlong];
interface RunsAlong {
  readonly axis: Axis;
  readonly backwards: boolean;
}

function axisOrder(label: Grid, image: Grid): AxisOrder {
  const { rows } = composeAffines(invertAffine(image.affine), label.affine);
  const step = (to: Axis, from: Axis) => itemAt(rows, 4 * to + from);
  const along = (from: Axis): RunsAlong => {
    const axis = AXES.reduce((best, to) =>
      Math.abs(step(to, from)) > Math.abs(step(best, from)) ? to : best,
    );
    return { axis, backwards: step(axis, from) < 0 };
  };
  return [along(0), along(1), along(2)];
}

/** Index in the label to index in the image: whole numbers. */
function toImageIndex(order: AxisOrder, { size }: Grid): { rows: number[] } {
  const rows = new Array<number>(12).fill(0);
  for (const [from, { axis, backwards }] of order.entries()) {
    rows[4 * axis + from] = backwards ? -1 : 1;
    rows[4 * axis + 3] = backwards ? size[axis] - 1 : 0;
  }
  return { rows };
}

/** The image's orientation in terms of the label's axes. */
function inOrder({ axes, flipped }: Orientation, order: AxisOrder): Orientation {
  const of = (imageAxis: Axis): Axis => AXES.find((from) => order[from].axis === imageAxis) ?? imageAxis;
  return {
    axes: [of(axes[0]), of(axes[1]), of(axes[2])],
    flipped: [
      flipped[0] !== order[of(axes[0])].backwards,
      flipped[1] !== order[of(axes[1])].backwards,
      flipped[2] !== order[of(axes[2])].backwards,
    ],
  };
}

/**
 * One label of several masks, slice by slice: each voxel has the value of the mask that it lies in.
 * @throws DataError when masks differ in their grids or, while slices are read, hold more than inside and
 *   outside, or share a voxel that no rule gives to one of them
 */
async function openMasks({ files, overlap }: Masks): Promise<VolumeSlices> {
  const masks = await Promise.all(
    files.map(async ({ value, file }) => ({ value, file, slices: await openLabelSlices(file) })),
  );
  const first = itemAt(masks, 0);
  for (const { file, slices } of masks) {
    requireSameGrid(first.slices, first.file, slices, file, 'mask', 'first mask');
    requireOneChannel(slices, file);
  }
  const { size, spacing, affine } = first.slices;
  return {
    size,
    spacing,
    affine,
    channels: 1,
    slices: async function* () {
      const open = masks.map(({ slices, ...mask }) => ({ ...mask, read: slices.slices(), inside: 0 }));
      const values = new Uint16Array(size[0] * size[1]);
      const owners = new Uint16Array(values.length); // the place of the mask among them, from 1
      try {
        for (let z = 0; z < size[2]; z++) {
          values.fill(0);
          owners.fill(0);
          for (const [i, mask] of open.entries()) {
            const { value: slice, done } = await mask.read.next();
            if (done) break; // whoever reads a file says that it is too short
            mask.inside = insideValue(slice, mask.inside, mask.file);
            for (let at = 0; at < slice.length; at++) {
              if (slice[at] === 0) continue;
              if (values[at] !== 0 && values[at] !== mask.value) {
                if (overlap === 'refuse')
                  throw overlapping(
                    itemAt(open, itemAt<number>(owners, at) - 1).file,
                    mask.file,
                    at,
                    z,
                    size,
                  );
                if (overlap === 'first') continue;
              }
              values[at] = mask.value;
              owners[at] = i + 1;
            }
          }
          yield values;
        }
        for (const { read } of open) await read.next(); // to its end, so that what follows the voxels is read too
      } finally {
        for (const { read } of open) await read.return(undefined);
      }
    },
  };
}

/** A mask has one value besides 0, whichever it is. @throws DataError for others */
function insideValue(slice: VoxelArray, known: number, file: string): number {
  let inside = known;
  for (let at = 0; at < slice.length; at++) {
    const value = slice[at]!;
    if (value === 0 || value === inside) continue;
    if (inside === 0 && Number.isInteger(value) && value > 0) {
      inside = value;
      continue;
    }
    throw new DataError(
      `mask ${file} holds the value ${value}${inside === 0 ? '' : ` besides ${inside}`}, but a mask has one whole number ` +
        'above 0 inside and 0 outside: give a label of several values as "label"',
      { file, found: value },
    );
  }
  return inside;
}

function overlapping(one: string, other: string, at: number, z: number, [nx]: Grid['size']): DataError {
  return new DataError(
    `the masks ${one} and ${other} both hold the voxel [${at % nx}, ${Math.floor(at / nx)}, ${z}]: correct one, or say ` +
      'with "overlap": "first" or "last" which of two classes such voxels belong to',
    { file: other, field: 'overlap', expected: 'refuse, first or last' },
  );
}

async function wholeOf({ slices, channels, ...grid }: VolumeSlices): Promise<Volume> {
  const data = new Uint16Array(voxelCount(grid));
  let filled = 0;
  for await (const slice of slices()) {
    data.set(slice, filled);
    filled += slice.length;
  }
  return { ...grid, channels, data };
}
