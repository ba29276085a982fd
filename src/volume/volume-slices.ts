import { WorkError } from '../errors.js';
import { type VoxelBytes, voxelPiecesOf } from './file-content.js';
import { openNifti, toValues } from './nifti-read.js';
import { arrayLike, type Grid, type ValueUse, type Volume, type VoxelArray, voxelCount } from './volume.js';

/** A volume that is read slice by slice, so that it need not be held whole. */
export interface VolumeSlices extends Grid {
  readonly channels: number;
  /**
   * The slices of the file's third axis in its order, `[y][x]`: all of the first channel, then all of the
   * next. One is to be used before the next is asked for.
   */
  slices(): AsyncGenerator<VoxelArray, void>;
}

/**
 * Opens a NIfTI file to be read slice by slice, with the values that `readNifti` gives.
 * @throws DataError as `readNifti` does, here or while slices are read
 */
export async function openNiftiSlices(file: string, use: ValueUse = 'intensities'): Promise<VolumeSlices> {
  const { header, voxels } = await openNifti(file);
  const { size, spacing, affine, channels } = header;
  const sliceBytes = voxels.bytes / channels / size[2];
  return {
    size,
    spacing,
    affine,
    channels,
    slices: () => slicesOfFile(voxels, sliceBytes, (bytes) => toValues(header, bytes, use)),
  };
}

/** The slices of a volume that is held whole. */
export function slicesOfVolume({ data, ...volume }: Volume): VolumeSlices {
  const voxels = volume.size[0] * volume.size[1];
  return {
    ...volume,
    slices: async function* () {
      for (let start = 0; start < data.length; start += voxels) yield data.subarray(start, start + voxels);
    },
  };
}

/** The slices of a file whose voxels `voxels` are, `sliceBytes` a slice; `toValues` makes values of them. */
export async function* slicesOfFile(
  voxels: VoxelBytes,
  sliceBytes: number,
  toValues: (bytes: Uint8Array) => VoxelArray,
): AsyncGenerator<VoxelArray, void> {
  for await (const bytes of voxelPiecesOf(sliceBytes, voxels)) yield toValues(bytes);
}

/** The whole of a volume that is read slice by slice. */
export async function volumeOfSlices(opened: VolumeSlices): Promise<Volume> {
  const { size, spacing, affine, channels } = opened;
  let data: VoxelArray | undefined;
  let filled = 0;
  for await (const slice of opened.slices()) {
    data ??= arrayLike(slice, channels * voxelCount(opened));
    data.set(slice, filled);
    filled += slice.length;
  }
  if (!data) throw new WorkError('a volume has no slices');
  return { size, spacing, affine, channels, data };
}
