import { type Volume, voxelCount } from '../../src/volume/index.js';

/** The voxels of a volume in reverse order along some axes. */
export function mirroredVolume(volume: Volume, axes: readonly ('x' | 'y' | 'z')[]): Volume {
  const [nx, ny, nz] = volume.size;
  const voxels = voxelCount(volume);
  const at = (axis: 'x' | 'y' | 'z', i: number, n: number) => (axes.includes(axis) ? n - 1 - i : i);
  const data = Float32Array.from({ length: volume.data.length }, (_, i) => {
    const [x, y, z, c] = [
      i % nx,
      Math.floor(i / nx) % ny,
      Math.floor(i / (nx * ny)) % nz,
      Math.floor(i / voxels),
    ];
    return volume.data[at('x', x, nx) + nx * (at('y', y, ny) + ny * (at('z', z, nz) + nz * c))]!;
  });
  return { ...volume, data };
}
