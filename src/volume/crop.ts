import { itemAt } from '../at.js';
import { shiftAffine } from './affine.js';
import type { BackgroundRange } from './background.js';
import { mapSize, type Triple } from './triple.js';
import { arrayLike, type Volume, voxelCount } from './volume.js';

/**
 * The box of `size` voxels from `start` on; parts outside the volume (start may be negative) are 0. The
 * affine moves along, so that voxels keep their place in the world.
 */
export function cropBox(volume: Volume, start: Triple, size: Triple): Volume {
  const [nx, ny, nz] = volume.size;
  const result = arrayLike(volume.data, voxelCount({ size }) * volume.channels);
  const from = Math.max(0, start[0]);
  const to = Math.min(nx, start[0] + size[0]);
  for (let c = 0; c < volume.channels; c++) {
    for (let z = Math.max(0, start[2]); z < Math.min(nz, start[2] + size[2]); z++) {
      for (let y = Math.max(0, start[1]); y < Math.min(ny, start[1] + size[1]); y++) {
        if (to <= from) continue;
        const row = nx * (y + ny * (z + nz * c));
        const target = from - start[0] + size[0] * (y - start[1] + size[1] * (z - start[2] + size[2] * c));
        result.set(volume.data.subarray(row + from, row + to), target);
      }
    }
  }
  return {
    size,
    spacing: volume.spacing,
    affine: shiftAffine(volume.affine, start),
    channels: volume.channels,
    data: result,
  };
}

/**
 * The smallest box around the voxels that are not background in some channel, and its first voxel; undefined
 * when there are none.
 * @param backgrounds one a channel
 */
export function foregroundBox(
  volume: Volume,
  backgrounds: readonly BackgroundRange[],
): { readonly start: Triple; readonly size: Triple } | undefined {
  const [nx, ny, nz] = volume.size;
  const low: [number, number, number] = [nx, ny, nz];
  const high: [number, number, number] = [-1, -1, -1];
  let i = 0;
  for (let c = 0; c < volume.channels; c++) {
    const background = itemAt(backgrounds, c);
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        for (let x = 0; x < nx; x++, i++) {
          if (volume.data[i]! >= background.low && volume.data[i]! <= background.high) continue;
          if (x < low[0]) low[0] = x;
          if (x > high[0]) high[0] = x;
          if (y < low[1]) low[1] = y;
          if (y > high[1]) high[1] = y;
          if (z < low[2]) low[2] = z;
          if (z > high[2]) high[2] = z;
        }
      }
    }
  }
  if (high[0] === -1) return undefined;
  return { start: low, size: mapSize(high, (n, axis) => n - low[axis] + 1) };
}
