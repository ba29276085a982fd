import { composeAffines, type Grid, invertAffine, resampleToGrid, type Volume, voxelCount } from '../volume/index.js';
import { channelValue, type LabelScheme } from './label-scheme.js';

/**
 * The label volume that logits decide, on another grid: each channel is brought there linearly, then classes take the largest and regions
 * those above 0 (probability 1/2), the last of them winning. Beyond the logits' own grid everything is background.
 * @param logits planar channels on the prepared grid
 * @param grid the scan's own
 */
export function labelOnGrid(logits: Volume, grid: Grid, scheme: LabelScheme): Volume {
  const voxels = voxelCount(grid);
  const label = new (largestValue(scheme) > 255 ? Uint16Array : Uint8Array)(voxels);
  const best = new Float32Array(voxels);
  for (let c = 0; c < logits.channels; c++) {
    const { data } = resampleToGrid(channel(logits, c), grid, 'linear');
    const value = channelValue(scheme, c);
    for (let i = 0; i < voxels; i++) {
      const wins = scheme.kind === 'regions' ? data[i]! > 0 : c === 0 || data[i]! > best[i]!;
      if (!wins) continue;
      best[i] = data[i]!;
      label[i] = value;
    }
  }
  clearOutside(label, grid, logits);
  return { size: grid.size, spacing: grid.spacing, affine: grid.affine, channels: 1, data: label };
}

/** Logits on another grid; beyond their own grid the border goes on. */
export const logitsOnGrid = (logits: Volume, grid: Grid): Volume => resampleToGrid(logits, grid, 'linear');

function channel({ data, size, spacing, affine }: Volume, c: number): Volume {
  const voxels = voxelCount({ size });
  return { size, spacing, affine, channels: 1, data: data.subarray(c * voxels, (c + 1) * voxels) };
}

/** Zeroes the voxels of `grid` whose centres lie outside the voxels of `inner`. */
function clearOutside(label: Uint8Array | Uint16Array, grid: Grid, inner: Grid): void {
  const { rows } = composeAffines(invertAffine(inner.affine), grid.affine);
  const [nx, ny, nz] = grid.size;
  const slack = 1e-3; // voxels: affines are stored with rounding
  const inside = (axis: number, at: number) => at >= -0.5 - slack && at <= inner.size[axis]! - 0.5 + slack;
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        if (label[i] === 0) continue;
        const at = (row: number) => rows[row]! * x + rows[row + 1]! * y + rows[row + 2]! * z + rows[row + 3]!;
        if (!inside(0, at(0)) || !inside(1, at(4)) || !inside(2, at(8))) label[i] = 0;
      }
    }
  }
}

const largestValue = ({ values }: LabelScheme): number => Math.max(...values.flat());
