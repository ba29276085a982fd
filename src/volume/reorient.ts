import { composeAffines, nearestRotation } from './affine.js';
import { AXES, type Axis, mapAxes, mapSize, type Triple } from './triple.js';
import { arrayLike, type Grid, type Volume, voxelCount } from './volume.js';

/** For each RAS axis: the voxel axis that runs along it most, and whether it runs the other way. */
export interface Orientation {
  readonly axes: readonly [Axis, Axis, Axis];
  readonly flipped: readonly [boolean, boolean, boolean];
}

/**
 * The volume with its axes permuted and flipped so that they run most nearly to the right, anterior and
 * superior. Every voxel keeps its value and its place in the world.
 */
export function reorientToRas(volume: Volume): Volume {
  return permute(volume, closestToRas(volume));
}

/**
 * Which voxel axis runs along which RAS axis; decided on the nearest rotation, in voxel-axis order, as
 * nibabel does.
 */
export function closestToRas({ affine }: Pick<Volume, 'affine'>): Orientation {
  const rotation = nearestRotation(affine);
  const axes: [Axis, Axis, Axis] = [0, 1, 2];
  const flipped: [boolean, boolean, boolean] = [false, false, false];
  const taken = new Set<Axis>();
  for (const voxelAxis of AXES) {
    const free = AXES.filter((world) => !taken.has(world));
    const along = free.reduce((best, world) =>
      Math.abs(rotation[world][voxelAxis]) > Math.abs(rotation[best][voxelAxis]) ? world : best,
    );
    taken.add(along);
    axes[along] = voxelAxis;
    flipped[along] = rotation[along][voxelAxis] < 0;
  }
  return { axes, flipped };
}

function permute(volume: Volume, { axes, flipped }: Orientation): Volume {
  if (axes.every((axis, i) => axis === i) && !flipped.includes(true)) return volume;
  const { size, data, channels } = volume;
  const strides: Triple = [1, size[0], size[0] * size[1]];
  const newSize = mapSize(AXES, (_, world) => size[axes[world]]);
  const steps = mapSize(AXES, (_, world) => (flipped[world] ? -1 : 1) * strides[axes[world]]);
  const starts = mapAxes(axes, (axis, world) => (flipped[world] ? (size[axis] - 1) * strides[axis] : 0));
  const first = starts[0] + starts[1] + starts[2];
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
    size: mapSize(AXES, (_, world) => size[axes[world]]),
    spacing: mapAxes(axes, (axis) => spacing[axis]),
    affine: composeAffines(affine, newToOldIndex(size, axes, flipped)),
  };
}

/** Index in the permuted grid to index in the old one. */
function newToOldIndex(
  size: Triple,
  axes: Orientation['axes'],
  flipped: Orientation['flipped'],
): { rows: number[] } {
  const rows = new Array<number>(12).fill(0);
  axes.forEach((axis, i) => {
    rows[4 * axis + i] = flipped[i] ? -1 : 1;
    rows[4 * axis + 3] = flipped[i] ? size[axis] - 1 : 0;
  });
  return { rows };
}
