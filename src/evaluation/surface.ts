import type { Triple } from '../volume/index.js';

/** A binary mask, 1 inside; x fastest. */
export interface Mask {
  readonly size: Triple;
  readonly data: Uint8Array;
}

/** Indices of the mask's surface: voxels inside with one of six neighbours outside; what lies beyond the array is outside. */
export function surfaceVoxels({ size: [nx, ny, nz], data }: Mask): number[] {
  const found: number[] = [];
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        if (!data[i]) continue;
        const inner = x > 0 && x < nx - 1 && y > 0 && y < ny - 1 && z > 0 && z < nz - 1;
        const eroded = inner && data[i - 1] && data[i + 1] && data[i - nx] && data[i + nx] && data[i - nx * ny] && data[i + nx * ny];
        if (!eroded) found.push(i);
      }
    }
  }
  return found;
}

/**
 * Squared distance in mm^2 of every voxel to the nearest of `seeds`, exact: one lower envelope of parabolas an axis
 * (Felzenszwalb & Huttenlocher 2012).
 * @param seeds indices of at least one voxel
 * @param spacing mm along [x, y, z]
 */
export function squaredDistances(size: Triple, seeds: readonly number[], spacing: Triple): Float64Array {
  const distances = new Float64Array(size[0] * size[1] * size[2]).fill(Number.POSITIVE_INFINITY);
  for (const seed of seeds) distances[seed] = 0;
  const strides = [1, size[0], size[0] * size[1]];
  for (let axis = 0; axis < 3; axis++) {
    const [length, stride] = [size[axis]!, strides[axis]!];
    const line = new Float64Array(length);
    const envelope = { sites: new Int32Array(length), bounds: new Float64Array(length + 1) };
    for (let start = 0; start < distances.length; start++) {
      if (Math.floor(start / stride) % length !== 0) continue;
      for (let k = 0; k < length; k++) line[k] = distances[start + k * stride]!;
      lowerEnvelope(line, spacing[axis]! ** 2, envelope, (k, value) => {
        distances[start + k * stride] = value;
      });
    }
  }
  return distances;
}

/** For every position k of a line, the least of `line[j] + scale (k - j)^2`. */
function lowerEnvelope(
  line: Float64Array,
  scale: number,
  { sites, bounds }: { sites: Int32Array; bounds: Float64Array },
  write: (k: number, value: number) => void,
): void {
  let last = -1;
  for (let j = 0; j < line.length; j++) {
    if (line[j] === Number.POSITIVE_INFINITY) continue;
    let crossing = Number.NEGATIVE_INFINITY;
    while (last >= 0) {
      const site = sites[last]!;
      crossing = (line[j]! - line[site]!) / (2 * scale * (j - site)) + (j + site) / 2;
      if (crossing > bounds[last]!) break;
      last--;
      crossing = Number.NEGATIVE_INFINITY;
    }
    last++;
    sites[last] = j;
    bounds[last] = crossing;
  }
  if (last < 0) return; // no seed on this line yet
  let current = 0;
  for (let k = 0; k < line.length; k++) {
    while (current < last && bounds[current + 1]! < k) current++;
    const site = sites[current]!;
    write(k, line[site]! + scale * (k - site) ** 2);
  }
}
