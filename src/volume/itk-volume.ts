import type { Image } from 'itk-wasm';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { type Affine, checkAffine, spacingOf } from './affine.js';
import { AXES, type Triple } from './triple.js';
import { type ValueUse, type Volume, type VoxelArray, voxelCount } from './volume.js';

/**
 * ITK's image as a volume: LPS to RAS, interleaved components to planes, 64-bit types to float32, or to
 * float64 where they are labels.
 * @param file where it comes from, for errors
 * @throws DataError when it has not three axes of space, or its axes do not span space
 */
export function volumeOfItk(
  image: Pick<Image, 'size' | 'spacing' | 'origin' | 'direction' | 'data' | 'imageType'>,
  file: string,
  use: ValueUse = 'intensities',
): Volume {
  const [nx, ny, nz, ...rest] = image.size;
  if (nx === undefined || ny === undefined || nz === undefined || rest.length > 1) {
    throw new DataError(
      `${file} has ${image.size.length} axes; expected 3 of space, and a fourth for channels at most`,
      { file, found: image.size },
    );
  }
  const size: Triple = [nx, ny, nz];
  const affine = lpsToRas(lpsAffine(image));
  checkAffine(affine, file, 'correct the directions and spacing in the header');
  const { components } = image.imageType;
  const channels = components * rest.reduce((product, n) => product * n, 1);
  if (image.data === null)
    throw new DataError(`${file} holds no voxels; copy or download it again`, { file });
  const voxels = voxelCount({ size }) * (channels / components);
  const data = planarValues(image.data, { components, voxels, use });
  return { size, spacing: spacingOf(affine), affine, channels, data };
}

/** Voxels as a file has them. */
export type NumberArray = NonNullable<Image['data']>;

/**
 * Values as a volume has them: interleaved components to planes, 64-bit types to float32, or to float64 where they are
 * labels.
 * @param of voxels: of one component, over all further axes
 */
export function planarValues(
  stored: NumberArray,
  of: { readonly components: number; readonly voxels: number; readonly use: ValueUse },
): VoxelArray {
  return planar(narrowed(stored, of.use), of.components, of.voxels);
}

/** An affine into ITK's and DICOM's world, x to the left and y to the back, as one into RAS. */
export function lpsToRas({ rows }: Affine): Affine {
  return { rows: rows.map((n, i) => (i < 8 ? 0 - n : n)) }; // 0 - n: no negative zeros
}

/** `direction` is row-major, a column an axis. */
function lpsAffine({
  size,
  spacing,
  origin,
  direction,
}: Pick<Image, 'size' | 'spacing' | 'origin' | 'direction'>): Affine {
  const axes = size.length;
  const row = (world: number) => [
    ...AXES.map((axis) => Number(direction[axes * world + axis]) * itemAt(spacing, axis)),
    itemAt(origin, world),
  ];
  return { rows: AXES.flatMap(row) };
}

function narrowed(data: NumberArray, use: ValueUse): VoxelArray {
  if (data instanceof Uint8ClampedArray) return Uint8Array.from(data);
  if (data instanceof Float64Array) return use === 'labels' ? data : Float32Array.from(data);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return use === 'labels' ? Float64Array.from(data, Number) : Float32Array.from(data, Number);
  return data;
}

function planar(data: VoxelArray, components: number, voxels: number): VoxelArray {
  if (components === 1) return data;
  const planes = data.slice();
  for (let component = 0; component < components; component++) {
    for (let i = 0; i < voxels; i++) planes[component * voxels + i] = data[i * components + component]!;
  }
  return planes;
}
