import { floatAt } from '../at.js';
import { type Tensor4D, type Tensor5D, tf } from '../engine/index.js';
import { UsageError } from '../errors.js';
import { fileSize, type Margins, mapAxes, type SpatialSize } from '../network/index.js';
import { type RandomStream, randomStream } from '../random/streams.js';

/** The three sizes of the paper's two-level masking (section 3.1) and the target region (3.2), in voxels. */
export interface PatchSizes {
  /** Side of a sub-volume; a whole number of patches. The paper's 32. */
  readonly subVolume: number;
  /** Side of a patch. The paper's 16. */
  readonly patch: number;
  /** Side of the cube that the decoder reconstructs; the crop's own side: not partial. */
  readonly region: number;
}

/**
 * How a crop divides. Patches lie in raster order (z, y, x) of the crop; sub-volumes likewise, and the
 * patches within one too.
 */
export interface PatchGrid {
  readonly patch: number;
  /** Patches along the crop's axes. */
  readonly patches: SpatialSize;
  /** Sub-volumes along the crop's axes. */
  readonly subVolumes: SpatialSize;
  /** Patches along one side of a sub-volume. */
  readonly side: number;
  /** n: patches of one sub-volume. */
  readonly patchesPerSubVolume: number;
  /** Voxels that the decoder leaves out. */
  readonly margins: Margins;
}

/**
 * The grid of a crop. The target region lies at the crop's centre in voxels where half the spare voxels are a
 * whole number of `marginStride` (UNet: 16 voxels), else on the nearest position before it.
 * @param crop [depth, height, width] voxels
 * @throws UsageError naming the setting when the sizes do not divide
 */
export function patchGrid(
  crop: SpatialSize,
  { subVolume, patch, region }: PatchSizes,
  marginStride: number,
): PatchGrid {
  requireDivides('method.subVolume', subVolume, 'method.patch', patch);
  requireDivides('method.region', region, 'method.subVolume', subVolume);
  for (const voxels of crop) requireDivides('data.cropSize', voxels, 'method.subVolume', subVolume);
  if (region > Math.min(...crop)) {
    throw new UsageError(
      `method.region ${region} is larger than the crop of [${fileSize(crop)}] voxels: make it at ` +
        `most ${Math.min(...crop)}`,
      {
        field: 'method.region',
        found: region,
      },
    );
  }
  const side = subVolume / patch;
  const before = mapAxes(crop, (voxels) => Math.floor((voxels - region) / 2 / marginStride) * marginStride);
  const after = mapAxes(crop, (voxels, axis) => voxels - region - before[axis]);
  const uneven = after.find((voxels) => voxels % marginStride !== 0);
  if (uneven !== undefined) {
    throw new UsageError(
      `method.region ${region} leaves ${uneven} voxels of the crop [${fileSize(crop)}] beyond it, ` +
        `but this network can leave out whole multiples of ${marginStride} only`,
      { field: 'method.region', found: region },
    );
  }
  return {
    patch,
    patches: mapAxes(crop, (voxels) => voxels / patch),
    subVolumes: mapAxes(crop, (voxels) => voxels / subVolume),
    side,
    patchesPerSubVolume: side ** 3,
    margins: { before, after },
  };
}

/**
 * The grid of a crop that is masked in one level and reconstructed whole: every patch is its own sub-volume.
 * @throws UsageError when the patches do not divide the crop
 */
export function wholeGrid(crop: SpatialSize, patch: number): PatchGrid {
  for (const voxels of crop) requireDivides('data.cropSize', voxels, 'method.patch', patch);
  const patches = mapAxes(crop, (voxels) => voxels / patch);
  const none: SpatialSize = [0, 0, 0];
  return {
    patch,
    patches,
    subVolumes: patches,
    side: 1,
    patchesPerSubVolume: 1,
    margins: { before: none, after: none },
  };
}

/** Which patches of one crop are masked, and what the number and location tasks ask of it. */
export interface PatchMask {
  /** [patches] 1 where masked, raster order of the crop. */
  readonly mask: Float32Array;
  /** [S, n] the same by sub-volume. */
  readonly locations: Float32Array;
  /** [S] masked patches of each sub-volume. */
  readonly counts: Int32Array;
}

/** Patches of one crop that are masked. */
export const maskedPatches = ({ patches }: PatchGrid, ratio: number): number =>
  Math.round(ratio * product(patches));

/** Masks `round(ratio * patches)` patches of the crop, drawn uniformly without replacement (paper 3.1). */
export function randomPatchMask(grid: PatchGrid, ratio: number, stream: RandomStream): PatchMask {
  const total = product(grid.patches);
  const mask = new Float32Array(total);
  const order = stream.shuffle(Array.from({ length: total }, (_, i) => i));
  for (const index of order.slice(0, maskedPatches(grid, ratio))) mask[index] = 1;
  const locations = groupBySubVolume(mask, grid);
  const n = grid.patchesPerSubVolume;
  const counts = Int32Array.from({ length: total / n }, (_, s) =>
    locations.subarray(s * n, (s + 1) * n).reduce((sum, masked) => sum + masked, 0),
  );
  return { mask, locations, counts };
}

/**
 * Masks of a batch: item `i` of `step` draws from a stream of its own, so that a resumed run draws the same.
 */
export interface MaskedBatch {
  /** [B, Pd, Ph, Pw] */
  readonly patchMask: Float32Array;
  /** [B, S, n] */
  readonly locations: Float32Array;
  /** [B, S] */
  readonly counts: Int32Array;
}

/** The masks of a batch at `step`, and what the number and location tasks ask of them. */
export function maskBatch(
  grid: PatchGrid,
  ratio: number,
  batch: number,
  seed: number,
  step: number,
): MaskedBatch {
  const masks = Array.from({ length: batch }, (_, item) =>
    randomPatchMask(grid, ratio, randomStream(seed, 'mask', step, item)),
  );
  const patches = product(grid.patches);
  const subVolumes = product(grid.subVolumes);
  const patchMask = new Float32Array(batch * patches);
  const locations = new Float32Array(batch * patches);
  const counts = new Int32Array(batch * subVolumes);
  masks.forEach((mask, item) => {
    patchMask.set(mask.mask, item * patches);
    locations.set(mask.locations, item * patches);
    counts.set(mask.counts, item * subVolumes);
  });
  return { patchMask, locations, counts };
}

/**
 * Values of patches in the crop's raster order, [patches], to [S, n]: grouped by true cubes of `side`
 * patches.
 */
export function groupBySubVolume(patchValues: Float32Array, grid: PatchGrid): Float32Array {
  const grouped = new Float32Array(patchValues.length);
  forEachPatch(grid, (raster, inGroups) => {
    grouped[inGroups] = floatAt(patchValues, raster);
  });
  return grouped;
}

/** The inverse of `groupBySubVolume`. */
export function ungroupSubVolumes(grouped: Float32Array, grid: PatchGrid): Float32Array {
  const patchValues = new Float32Array(grouped.length);
  forEachPatch(grid, (raster, inGroups) => {
    patchValues[raster] = floatAt(grouped, inGroups);
  });
  return patchValues;
}

function forEachPatch(
  { patches: [depth, height, width], subVolumes, side }: PatchGrid,
  visit: (raster: number, inGroups: number) => void,
): void {
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const subVolume =
          (Math.floor(z / side) * subVolumes[1] + Math.floor(y / side)) * subVolumes[2] +
          Math.floor(x / side); // raster of sub-volumes
        const within = ((z % side) * side + (y % side)) * side + (x % side); // raster inside one
        visit((z * height + y) * width + x, subVolume * side ** 3 + within);
      }
    }
  }
}

/**
 * Each patch's value at each of its voxels.
 * @param patchMask [B, Pd, Ph, Pw]
 * @returns [B, Pd * patch, Ph * patch, Pw * patch, 1]
 */
export function voxelMask(patchMask: Tensor4D, patch: number): Tensor5D {
  const [batch, ...patches] = patchMask.shape;
  let [before, mask] = [batch, patchMask.reshape([batch, -1])];
  for (const n of patches) {
    const after = mask.size / (before * n);
    // Each slice `patch` times along this axis.
    mask = mask.reshape([before, n, 1, after]).tile([1, 1, patch, 1]);
    before *= n * patch;
  }
  return mask.reshape([batch, ...patches.map((n) => n * patch), 1]);
}

/** The target region of a full-size tensor [B, D, H, W, C]. */
export function cropToRegion(x: Tensor5D, { before, after }: Margins): Tensor5D {
  if ([...before, ...after].every((voxels) => voxels === 0)) return x;
  const [batch, depth, height, width, channels] = x.shape;
  const size = mapAxes([depth, height, width], (n, axis) => n - before[axis] - after[axis]);
  return tf.slice(x, [0, ...before, 0], [batch, ...size, channels]);
}

function requireDivides(field: string, whole: number, partField: string, part: number): void {
  if (whole % part === 0) return;
  const nearest = Math.max(part, Math.round(whole / part) * part);
  throw new UsageError(`${field} ${whole} must be divisible by ${partField} ${part}; nearest is ${nearest}`, {
    field,
    found: whole,
    expected: nearest,
  });
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
