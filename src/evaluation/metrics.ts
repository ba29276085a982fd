import { percentile, type Triple } from '../volume/index.js';
import { type Mask, squaredDistances, surfaceVoxels } from './surface.js';

/** `2 |P n G| / (|P| + |G|)`; null when the reference is empty. */
export function dice(prediction: Uint8Array, reference: Uint8Array): number | null {
  let [overlap, predicted, present] = [0, 0, 0];
  for (let i = 0; i < reference.length; i++) {
    predicted += prediction[i]!;
    present += reference[i]!;
    overlap += prediction[i]! & reference[i]!;
  }
  return present === 0 ? null : (2 * overlap) / (predicted + present);
}

/**
 * 95th percentile Hausdorff distance in mm: the larger of the two directed 95th percentiles (linear interpolation) of the distances
 * between surfaces; MONAI's definition. null when either mask is empty.
 * @param spacing mm along [x, y, z]
 */
export function hd95(prediction: Mask, reference: Mask, spacing: Triple): number | null {
  const box = unionBox(prediction, reference);
  if (!box) return null;
  const [a, b] = [cropped(prediction, box), cropped(reference, box)];
  const [surfaceA, surfaceB] = [surfaceVoxels(a), surfaceVoxels(b)];
  if (surfaceA.length === 0 || surfaceB.length === 0) return null;
  return Math.max(directed95(surfaceA, surfaceB, a.size, spacing), directed95(surfaceB, surfaceA, a.size, spacing));
}

function directed95(from: readonly number[], to: readonly number[], size: Triple, spacing: Triple): number {
  const distances = squaredDistances(size, to, spacing);
  const found = Float64Array.from(from, (index) => Math.sqrt(distances[index]!)).sort();
  return percentile(found, 95);
}

interface Box {
  readonly start: Triple;
  readonly size: Triple;
}

/** The box around both masks with one voxel of margin, which may lie outside the arrays; undefined when both are empty. */
function unionBox({ size: [nx, ny, nz], data }: Mask, { data: other }: Mask): Box | undefined {
  const low = [nx, ny, nz];
  const high = [-1, -1, -1];
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        if (!data[i] && !other[i]) continue;
        const at = [x, y, z];
        for (let axis = 0; axis < 3; axis++) {
          if (at[axis]! < low[axis]!) low[axis] = at[axis]!;
          if (at[axis]! > high[axis]!) high[axis] = at[axis]!;
        }
      }
    }
  }
  if (high[0] === -1) return undefined;
  const along = (of: (axis: number) => number): Triple => [of(0), of(1), of(2)];
  return { start: along((axis) => low[axis]! - 1), size: along((axis) => high[axis]! - low[axis]! + 3) };
}

function cropped({ size: [nx, ny, nz], data }: Mask, { start, size }: Box): Mask {
  const result = new Uint8Array(size[0] * size[1] * size[2]);
  const [fromX, toX] = [Math.max(0, start[0]), Math.min(nx, start[0] + size[0])];
  for (let z = Math.max(0, start[2]); z < Math.min(nz, start[2] + size[2]); z++) {
    for (let y = Math.max(0, start[1]); y < Math.min(ny, start[1] + size[1]); y++) {
      const row = nx * (y + ny * z);
      result.set(data.subarray(row + fromX, row + toX), fromX - start[0] + size[0] * (y - start[1] + size[1] * (z - start[2])));
    }
  }
  return { size, data: result };
}
