import { itemAt } from '../../at.js';
import { DataError } from '../../errors.js';
import {
  openSlices,
  readVolume,
  type Volume,
  type VolumeSlices,
  type VoxelArray,
} from '../../volume/index.js';
import { requireSameGrid } from './same-grid.js';

/**
 * The channels of a scan as one volume on the first file's grid, in the order of the files; `prepare`
 * and `predict` both read with it. A single file stays as it was read, several become float32.
 * @param files one file with all channels, or one a channel; at least one
 * @param notFinite what NaN and infinity become; absent: they are refused
 * @throws DataError when a file cannot be read, holds NaN or
 *   infinity, or does not lie voxel on voxel on the first
 */
export async function readChannels(files: readonly string[], notFinite?: number): Promise<Volume> {
  const firstFile = itemAt(files, 0);
  const first = await readFinite(firstFile, notFinite);
  if (files.length === 1) return first;
  const volumes = [first];
  for (const [i, file] of files.slice(1).entries()) {
    const volume = await readFinite(file, notFinite);
    requireSameGrid(first, firstFile, volume, file, `channel ${i + 2}`);
    volumes.push(volume);
  }
  return {
    ...first,
    channels: volumes.reduce((sum, { channels }) => sum + channels, 0),
    data: joined(volumes),
  };
}

/**
 * The same scan to be read slice by slice, the slices of one file after those of another.
 * @throws DataError as `readChannels` does, for voxels while slices are read
 */
export async function openChannels(files: readonly string[], notFinite?: number): Promise<VolumeSlices> {
  const opened = await Promise.all(files.map(async (file) => ({ file, volume: await openSlices(file) })));
  const first = itemAt(opened, 0);
  for (const [i, { file, volume }] of opened.entries()) {
    if (i > 0) requireSameGrid(first.volume, first.file, volume, file, `channel ${i + 1}`);
  }
  return {
    ...first.volume,
    channels: opened.reduce((sum, { volume }) => sum + volume.channels, 0),
    slices: async function* () {
      for (const { file, volume } of opened) yield* finiteSlices(volume, file, notFinite);
    },
  };
}

async function readFinite(file: string, notFinite: number | undefined): Promise<Volume> {
  const volume = await readVolume(file);
  if (notFinite === undefined) requireFinite(volume.data, 0, volume, file);
  else replaceNotFinite(volume.data, notFinite);
  return volume;
}

async function* finiteSlices(
  volume: VolumeSlices,
  file: string,
  notFinite: number | undefined,
): AsyncGenerator<VoxelArray, void> {
  let first = 0;
  for await (const slice of volume.slices()) {
    if (notFinite === undefined) requireFinite(slice, first, volume, file);
    else replaceNotFinite(slice, notFinite);
    first += slice.length;
    yield slice;
  }
}

/** Puts a number in the place of NaN and infinity. Returns how many there were. */
export function replaceNotFinite(data: VoxelArray, value: number): number {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return 0;
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    data[i] = value;
    count++;
  }
  return count;
}

/**
 * One voxel that is not finite would spread by resampling and make every loss and logit over it no number.
 * @param first where `data` begins in the volume
 * @throws DataError naming the first voxel that is NaN or infinite
 */
export function requireFinite(
  data: VoxelArray,
  first: number,
  { size }: Pick<Volume, 'size'>,
  file: string,
): void {
  if (!(data instanceof Float32Array)) return;
  let i = 0;
  while (i < data.length && Number.isFinite(data[i])) i++;
  if (i === data.length) return;
  const at = first + i;
  const voxel = [
    at % size[0],
    Math.floor(at / size[0]) % size[1],
    Math.floor(at / (size[0] * size[1])) % size[2],
  ];
  const value = Number.isNaN(data[i]) ? 'NaN' : `${data[i]} (or a number that float32 cannot hold)`;
  throw new DataError(
    `image ${file} holds ${value} at voxel [${voxel}], but intensities must be finite numbers: ` +
      'repair it, leave the case out, or say what such voxels become with "notFinite": 0',
    { file, found: String(data[i]) },
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
