import { applyAffine, invertAffine } from './affine.js';
import { AXES, type Axis, mapAxes, type Triple } from './triple.js';
import { type Grid, voxelCount } from './volume.js';

/** How far a place may be from a voxel's centre, in voxels, and still be that voxel: headers round differently. */
export const voxelTolerance = 0.05;

/** The place of a point in space among the voxels of a grid: fractional indices. */
export function voxelsOf({ affine }: Pick<Grid, 'affine'>): (ras: Triple) => Triple {
  const inverse = invertAffine(affine);
  return (ras) => applyAffine(inverse, ras);
}

/** DICOM's world, x to the left and y to the back, as RAS; or the other way. */
export const toRas = ([x, y, z]: Triple): Triple => [-x, -y, z];

/** A label that is filled voxel by voxel, each by one region. */
export interface LabelPainter {
  /** Gives a voxel to a region. */
  paint(voxel: Triple, region: number): void;
  /** Voxels that two regions claim, by the pair; none where regions do not overlap. */
  readonly overlaps: ReadonlyMap<string, number>;
  readonly data: Uint8Array | Uint16Array;
}

/**
 * A label of a grid, 0 everywhere at first.
 * @param largest the largest number of a region
 */
export function labelPainter(grid: Grid, largest: number): LabelPainter {
  const [nx, ny] = grid.size;
  const data = largest > 255 ? new Uint16Array(voxelCount(grid)) : new Uint8Array(voxelCount(grid));
  const overlaps = new Map<string, number>();
  return {
    data,
    overlaps,
    paint: ([x, y, z], region) => {
      const at = x + nx * (y + ny * z);
      const found = data[at] ?? 0;
      if (found !== 0 && found !== region) {
        const pair = `${Math.min(found, region)} ${Math.max(found, region)}`;
        overlaps.set(pair, (overlaps.get(pair) ?? 0) + 1);
      } else data[at] = region;
    },
  };
}

/** Whether a voxel is one of a grid. */
export function isWithin(voxel: Triple, { size }: Pick<Grid, 'size'>): boolean {
  return voxel.every((index, axis) => index >= 0 && index < (size[axis as Axis] ?? 0));
}

/** The nearest whole numbers, and how far the farthest is. */
export function rounded(place: Triple): { voxel: Triple; apart: number } {
  const voxel = mapAxes(place, (n) => Math.round(n) + 0); // no negative zeros
  return { voxel, apart: Math.max(...mapAxes(AXES, (axis) => Math.abs(place[axis] - voxel[axis]))) };
}
