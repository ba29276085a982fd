import { floatAt } from '../../at.js';
import { type PreparedCase, readPreparedVolume, toUnit, unitScales } from '../../dataset/index.js';

/** A whole scan as a small cube `[z][y][x][c]`, values in [0, 1] as 0 to 255. */
export type ShrunkenScan = Uint8Array;

/**
 * Shrinks prepared scans, each to `side` voxels along every axis, whatever its shape. Bytes, because all of
 * them stay in memory.
 */
export async function shrinkScans(
  prepared: string,
  cases: readonly PreparedCase[],
  side: number,
): Promise<ShrunkenScan[]> {
  const shrunken: ShrunkenScan[] = [];
  for (const source of cases) {
    const { image } = await readPreparedVolume(prepared, { image: source.image });
    shrunken.push(
      shrink(toUnit(image.data, unitScales(source), image.channels), image.size, image.channels, side),
    );
  }
  return shrunken;
}

/** Each voxel is the mean of those of the scan that it covers, at least one. `planar` is `[c][z][y][x]`. */
export function shrink(
  planar: Float32Array,
  size: readonly [number, number, number],
  channels: number,
  side: number,
): ShrunkenScan {
  const [nx, ny, nz] = size;
  const range = (i: number, n: number) => {
    const begin = Math.floor((i * n) / side);
    return [begin, Math.max(begin + 1, Math.floor(((i + 1) * n) / side))] as const;
  };
  const small = new Uint8Array(side ** 3 * channels);
  let to = 0;
  for (let z = 0; z < side; z++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const [[x0, x1], [y0, y1], [z0, z1]] = [range(x, nx), range(y, ny), range(z, nz)];
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let k = z0; k < z1; k++) {
            for (let j = y0; j < y1; j++)
              for (let i = x0; i < x1; i++) sum += floatAt(planar, ((c * nz + k) * ny + j) * nx + i);
          }
          small[to++] = Math.round((255 * sum) / ((x1 - x0) * (y1 - y0) * (z1 - z0)));
        }
      }
    }
  }
  return small;
}
