import type { Triple, VoxelArray } from '../volume/index.js';
import type { Box } from './box.js';

/** The voxels of a volume whose value is one of some: `inside[value]` is 1. x fastest. */
export interface Region {
  readonly size: Triple;
  readonly data: VoxelArray;
  /** By value, long enough for every value of `data`. */
  readonly inside: Uint8Array;
}

/**
 * The region's surface inside a box that holds all of it: voxels inside with one of six neighbours outside; what lies beyond the volume is
 * outside.
 * @returns indices in the box, x fastest, rising
 */
export function surfaceVoxels({ size: [nx, ny, nz], data, inside }: Region, { start, size }: Box): Int32Array {
  let found = new Int32Array(1024);
  let count = 0;
  const plane = nx * ny;
  for (let z = 0; z < size[2]; z++) {
    const innerZ = start[2] + z > 0 && start[2] + z < nz - 1;
    for (let y = 0; y < size[1]; y++) {
      const innerRow = innerZ && start[1] + y > 0 && start[1] + y < ny - 1;
      const row = size[0] * (y + size[1] * z);
      const first = start[0] + nx * (start[1] + y + ny * (start[2] + z));
      if (count + size[0] > found.length) found = grown(found, count + size[0]);
      for (let x = 0, i = first; x < size[0]; x++, i++) {
        if (!inside[data[i]!]) continue;
        const inner =
          innerRow &&
          start[0] + x > 0 &&
          start[0] + x < nx - 1 &&
          inside[data[i - 1]!] &&
          inside[data[i + 1]!] &&
          inside[data[i - nx]!] &&
          inside[data[i + nx]!] &&
          inside[data[i - plane]!] &&
          inside[data[i + plane]!];
        if (!inner) found[count++] = row + x;
      }
    }
  }
  return found.slice(0, count);
}

function grown(array: Int32Array, least: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(2 * array.length, least));
  larger.set(array);
  return larger;
}
