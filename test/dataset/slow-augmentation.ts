import type { Augmentation } from '../../src/dataset/crops/augmentation.js';
import type { Triple } from '../../src/volume/index.js';

/**
 * An augmented crop the obvious way: the turns one after the other, then the flips, each a whole new array in which every voxel is
 * looked up, then the intensities.
 * @param crop [c][z][y][x]
 * @returns [z][y][x][c]
 */
export function augmentedSlowly(
  crop: ArrayLike<number>,
  size: Triple,
  channels: number,
  { flip, quarterTurns, scale, shift }: Augmentation,
) {
  let present = voxelsOf(crop, size, channels);
  for (let turn = 0; turn < quarterTurns; turn++) present = quarterTurn(present);
  if (flip[0]) present = present.map((plane) => plane.map((row) => [...row].reverse()));
  if (flip[1]) present = present.map((plane) => [...plane].reverse());
  if (flip[2]) present = [...present].reverse();
  return Float32Array.from(present.flat(3), (value) => value * scale + shift);
}

type Voxels = number[][][][]; // [z][y][x][c]

function voxelsOf(crop: ArrayLike<number>, [nx, ny, nz]: Triple, channels: number): Voxels {
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  return range(nz).map((z) =>
    range(ny).map((y) =>
      range(nx).map((x) => range(channels).map((c) => crop[x + nx * (y + ny * (z + nz * c))]!)),
    ),
  );
}

/** About the z axis, by 90 degrees from x towards y: what was at (x, y) from the centre comes to (-y, x). */
function quarterTurn(voxels: Voxels): Voxels {
  return voxels.map((plane) => {
    const rows = plane.length;
    const columns = plane[0]!.length;
    const turned: number[][][] = Array.from({ length: columns }, () => new Array<number[]>(rows));
    plane.forEach((row, y) => {
      row.forEach((voxel, x) => {
        turned[x]![rows - 1 - y] = voxel;
      });
    });
    return turned;
  });
}
