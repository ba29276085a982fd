import { DataError } from '../errors.js';
import { readVolume, type Volume } from '../volume/index.js';
import { requireSameGrid } from './same-grid.js';

/**
 * The channels of a scan as one volume on the first file's grid, in the order of the files; `prepare` and `predict` both read with it.
 * A single file stays as it was read, several become float32.
 * @param files one file with all channels, or one a channel; at least one
 * @throws DataError when a file cannot be read, holds NaN or infinity, or does not lie voxel on voxel on the first
 */
export async function readChannels(files: readonly string[]): Promise<Volume> {
  const first = await readFinite(files[0]!);
  if (files.length === 1) return first;
  const volumes = [first];
  for (const [i, file] of files.slice(1).entries()) {
    const volume = await readFinite(file);
    requireSameGrid(first, files[0]!, volume, file, `channel ${i + 2}`);
    volumes.push(volume);
  }
  return { ...first, channels: volumes.reduce((sum, { channels }) => sum + channels, 0), data: joined(volumes) };
}

/** One voxel that is not finite would spread by resampling and make every loss and logit over it no number. */
async function readFinite(file: string): Promise<Volume> {
  const volume = await readVolume(file);
  requireFinite(volume, file);
  return volume;
}

/** Throws DataError naming the first voxel that is NaN or infinite. */
export function requireFinite({ data, size }: Pick<Volume, 'data' | 'size'>, file: string): void {
  if (!(data instanceof Float32Array)) return;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at === -1) return;
  const voxel = [at % size[0], Math.floor(at / size[0]) % size[1], Math.floor(at / (size[0] * size[1])) % size[2]];
  throw new DataError(
    `image ${file} holds ${data[at]} at voxel [${voxel}], but intensities must be finite numbers: repair it or leave the case out`,
    { file, found: String(data[at]) },
  );
}

function joined(volumes: readonly Volume[]): Float32Array {
  const data = new Float32Array(volumes.reduce((sum, volume) => sum + volume.data.length, 0));
  let offset = 0;
  for (const volume of volumes) {
    data.set(volume.data, offset);
    offset += volume.data.length;
  }
  return data;
}
