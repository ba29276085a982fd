import { dataBytes, openNifti, toValues } from './nifti-read.js';
import type { Grid, Volume, VoxelArray } from './volume.js';

/** A volume that is read slice by slice, so that it need not be held whole. */
export interface VolumeSlices extends Grid {
  readonly channels: number;
  /**
   * The slices of the file's third axis in its order, `[y][x]`: all of the first channel, then all of the next. One is to be used before the next
   * is asked for.
   */
  slices(): AsyncGenerator<VoxelArray, void>;
}

/**
 * Opens a NIfTI file to be read slice by slice, with the values that `readNifti` gives.
 * @throws DataError as `readNifti` does, here or while slices are read
 */
export async function openNiftiSlices(file: string): Promise<VolumeSlices> {
  const { header, voxels } = await openNifti(file);
  const { size, spacing, affine, channels } = header;
  return { size, spacing, affine, channels, slices: () => slicesOf(header, voxels()) };
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

async function* slicesOf(header: Parameters<typeof toValues>[0], pieces: AsyncGenerator<Uint8Array, void>): AsyncGenerator<VoxelArray, void> {
  const sliceBytes = dataBytes(header) / header.channels / header.size[2];
  const slice = new Uint8Array(sliceBytes);
  let filled = 0;
  for await (const piece of pieces) {
    for (let done = 0; done < piece.length; ) {
      const part = piece.subarray(done, done + sliceBytes - filled);
      slice.set(part, filled);
      filled += part.length;
      done += part.length;
      if (filled < sliceBytes) break;
      yield toValues(header, slice);
      filled = 0;
    }
  }
}
