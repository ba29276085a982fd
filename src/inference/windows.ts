import { doubleAt } from '../at.js';
import { mapAxes, type Triple } from '../volume/index.js';

/** Axes of a volume along which a window is mirrored. */
export type MirrorAxes = readonly ('x' | 'y' | 'z')[];

/** Whether a window is mirrored along [x, y, z]. */
export type Mirroring = readonly [x: boolean, y: boolean, z: boolean];

/** First voxels of the windows that cover a volume at least as large as one, x fastest, z slowest. */
export function windowStarts(size: Triple, window: Triple, overlap: number): Triple[] {
  const [xs, ys, zs] = mapAxes(size, (length, axis) => axisStarts(length, window[axis], overlap));
  return zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Triple => [x, y, z])));
}

/** How many windows cover a volume; one that is smaller than a window is padded to it. */
export function windowCount(
  size: Triple,
  { window, overlap }: { readonly window: Triple; readonly overlap: number },
): number {
  return windowStarts(
    mapAxes(size, (length, axis) => Math.max(length, window[axis])),
    window,
    overlap,
  ).length;
}

function axisStarts(length: number, window: number, overlap: number): number[] {
  const interval = length === window ? window : Math.max(1, Math.floor(window * (1 - overlap)));
  const count = Math.ceil((length - window) / interval) + 1;
  return Array.from({ length: count }, (_, i) => Math.min(i * interval, length - window));
}

/**
 * Weights of a window's voxels, x fastest: a Gaussian of sigma an eighth of the side around the centre
 * (n - 1) / 2, and at least 1e-3 (or the least of them, if that is more), so that no voxel is divided by next
 * to nothing.
 */
export function gaussianImportance(window: Triple): Float32Array {
  const [gx, gy, gz] = mapAxes(window, gaussian);
  const least = Math.max(1e-3, doubleAt(gx, 0) * doubleAt(gy, 0) * doubleAt(gz, 0));
  const weights = new Float32Array(window[0] * window[1] * window[2]);
  let i = 0;
  for (const alongZ of gz)
    for (const alongY of gy)
      for (const alongX of gx) weights[i++] = Math.max(least, alongX * alongY * alongZ);
  return weights;
}

/** The same weight for every voxel of a window. */
export const constantImportance = ([x, y, z]: Triple): Float32Array => new Float32Array(x * y * z).fill(1);

function gaussian(n: number): Float64Array {
  const sigma = n / 8;
  return Float64Array.from({ length: n }, (_, i) => Math.exp(-((i - (n - 1) / 2) ** 2) / (2 * sigma ** 2)));
}

/** All combinations of the axes, the window as it is first: 2^n of n axes, as nnU-Net mirrors. */
export function mirrorings(axes: MirrorAxes): Mirroring[] {
  const choices = (axis: 'x' | 'y' | 'z') => (axes.includes(axis) ? [false, true] : [false]);
  return choices('z').flatMap((z) =>
    choices('y').flatMap((y) => choices('x').map((x): Mirroring => [x, y, z])),
  );
}

/**
 * Where the voxels of a mirrored window lie: the first one's index, and the steps along x, y and z; one array
 * element a voxel.
 */
export function mirroredSteps(
  [nx, ny, nz]: Triple,
  [x, y, z]: Mirroring,
): { readonly first: number; readonly steps: Triple } {
  const first = (x ? nx - 1 : 0) + nx * ((y ? ny - 1 : 0) + ny * (z ? nz - 1 : 0));
  return { first, steps: [x ? -1 : 1, y ? -nx : nx, z ? -nx * ny : nx * ny] };
}
