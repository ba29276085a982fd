import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { composeAffines, invertAffine } from './affine.js';
import { cropBox } from './crop.js';
import { voxelTolerance } from './label-grid.js';
import { readTextHeader, textFormatOf } from './text-header.js';
import { AXES, mapAxes } from './triple.js';
import type { Grid, Volume } from './volume.js';

/**
 * Whether a file is a segmentation of 3D Slicer: a NRRD that is called `.seg.nrrd`, or has the keys of its segments.
 * Such a file holds the box around the segments alone, and is meant to lie on the voxels of its image.
 * @throws DataError when its header cannot be read
 */
export async function isSlicerSegmentation(path: string): Promise<boolean> {
  if (textFormatOf(path) !== 'nrrd') return false;
  if (/\.seg\.(nrrd|nhdr)$/i.test(path)) return true;
  const { ownKeys } = await readTextHeader(path, 'nrrd');
  return [...ownKeys].some((key) => /^(Segment\d+_ID|Segmentation_\w+)$/i.test(key));
}

/**
 * A segmentation of 3D Slicer on the grid of its image, 0 outside the box that it holds. One whose axes run another
 * way, or that has the image's size, comes back as it is: what follows says whether it lies on the image.
 * @throws DataError when it has several layers, or its voxels are not voxels of the image
 */
export function laidIntoImage(label: Volume, image: Grid | undefined, file: string): Volume {
  if (label.channels > 1) {
    throw new DataError(
      `${file} is a segmentation of 3D Slicer in ${label.channels} layers, since its segments overlap, and a label holds ` +
        'one value a voxel: give each segment as a file of its own with "masks", or export one labelmap in Slicer',
      { file, found: label.channels, expected: 1 },
    );
  }
  if (!image || label.size.every((n, axis) => n === image.size[axis])) return label;
  const { rows } = composeAffines(invertAffine(image.affine), label.affine);
  const step = (to: number, from: number) => itemAt(rows, 4 * to + from);
  const apart = mapAxes(AXES, (from) =>
    Math.max(...AXES.map((to) => Math.abs(Math.abs(step(to, from)) - Math.round(Math.abs(step(to, from)))))),
  );
  const whole = AXES.every((axis) => apart[axis] * Math.max(1, label.size[axis] - 1) <= voxelTolerance);
  const straight = AXES.every((axis) => Math.round(step(axis, axis)) === 1);
  const permuted =
    whole && AXES.every((axis) => Math.hypot(...AXES.map((to) => Math.round(step(to, axis)))) === 1);
  if (permuted && !straight) return label;
  const place = mapAxes(AXES, (axis) => itemAt(rows, 4 * axis + 3));
  const start = mapAxes(place, (n) => Math.round(n));
  const onVoxels = permuted && AXES.every((axis) => Math.abs(place[axis] - start[axis]) <= voxelTolerance);
  const within = AXES.every((axis) => start[axis] >= 0 && start[axis] + label.size[axis] <= image.size[axis]);
  if (onVoxels && within) {
    const { size, spacing, affine } = image;
    return {
      ...cropBox(
        label,
        mapAxes(start, (n) => 0 - n),
        size,
      ),
      spacing,
      affine,
    };
  }
  const why = onVoxels
    ? 'reaches beyond its image'
    : permuted
      ? 'lies between the voxels of its image'
      : 'has other voxels than its image';
  throw new DataError(
    `${file} is a segmentation of 3D Slicer, whose box of ${label.size.join('x')} voxels ${why} of ` +
      `${image.size.join('x')}: use the image that it was drawn on, or export it in Slicer with that image as reference ` +
      'volume (Segmentations, Export to files)',
    { file, field: 'space directions', found: label.size, expected: image.size },
  );
}
