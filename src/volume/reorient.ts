import { composeAffines, nearestRotation } from './affine.js';
import type { Triple } from './triple.js';
import { arrayLike, type Grid, type Volume, voxelCount } from './volume.js';

/** For each RAS axis: the voxel axis that runs along it most, and whether it runs the other way. */
export interface Orientation {
  readonly axes: Triple;
  readonly flipped: readonly [boolean, boolean, boolean];
}

/**
 * The volume with its axes permuted and flipped so that they run most nearly to the right, anterior and superior.
 * Every voxel keeps its value and its place in the world.
 */
export function reorientToRas(volume: Volume): Volume {
  return permute(volume, closestToRas(volume));
}

/** Which voxel axis runs along which RAS axis; decided on the nearest rotation, in voxel-axis order, as nibabel does. */
export function closestToRas({ affine }: Pick<Volume, 'affine'>): Orientation {
  const rotation = nearestRotation(affine);
  const axes = [-1, -1, -1];
  const flipped = [false, false, false];
  for (let voxelAxis = 0; voxelAxis < 3; voxelAxis++) {
    const free = [0, 1, 2].filter((world) => axes[world] === -1);
    const along = free.reduce((best, world) =>
      Math.abs(rotation[3 * world + voxelAxis]!) > Math.abs(rotation[3 * best + voxelAxis]!) ? world : best,
    );
    axes[along] = voxelAxis;
    flipped[along] = rotation[3 * along + voxelAxis]! < 0;
  }
  return { axes: axes as unknown as Triple, flipped: flipped as [boolean, boolean, boolean] };
}

function permute(volume: Volume, { axes, flipped }: Orientation): Volume {
  if (axes.every((axis, i) => axis === i) && !flipped.includes(true)) return volume;
  const { size, data, channels } = volume;
  const strides = [1, size[0], size[0] * size[1]];
  const newSize = axes.map((axis) => size[axis]!) as unknown as Triple;
  const steps = axes.map((axis, i) => (flipped[i] ? -strides[axis]! : strides[axis]!)) as [number, number, number];
  const first = axes.reduce((offset, axis, i) => offset + (flipped[i] ? (size[axis]! - 1) * strides[axis]! : 0), 0);
  const result = arrayLike(data, data.length);
  const count = voxelCount(volume);
  let target = 0;
  for (let c = 0; c < channels; c++) {
    for (let z = 0; z < newSize[2]; z++) {
      for (let y = 0; y < newSize[1]; y++) {
        let source = c * count + first + z * steps[2] + y * steps[1];
        for (let x = 0; x < newSize[0]; x++, source += steps[0]) result[target++] = data[source]!;
      }
    }
  }
  return { ...uprightGrid(volume, { axes, flipped }), channels, data: result };
}

/** The grid of the volume that `reorientToRas` makes. */
export function uprightGrid({ size, spacing, affine }: Grid, { axes, flipped }: Orientation): Grid {
  return {
    size: axes.map((axis) => size[axis]!) as unknown as Triple,
    spacing: axes.map((axis) => spacing[axis]!) as unknown as Triple,
    affine: composeAffines(affine, newToOldIndex(size, axes, flipped)),
  };
}

/** Index in the permuted grid to index in the old one. */
function newToOldIndex(size: Triple, axes: Triple, flipped: Orientation['flipped']): { rows: number[] } {
  const rows = new Array<number>(12).fill(0);
  axes.forEach((axis, i) => {
    rows[4 * axis + i] = flipped[i] ? -1 : 1;
    rows[4 * axis + 3] = flipped[i] ? size[axis]! - 1 : 0;
  });
  return { rows };
}
