import { requireMemory } from '../free-memory.js';
import { plainMetaImage, plainNrrd } from './plain-header.js';
import { readTextHeader, type TextFormat } from './text-header.js';
import { type Volume, voxelCount } from './volume.js';
import { slicesOfFile, type VolumeSlices, volumeOfSlices } from './volume-slices.js';

/**
 * Opens a plain MetaImage or NRRD, compressed or not, to be read slice by slice.
 * @returns undefined when it is not plain: then it is ITK's to read, and is held whole
 * @throws DataError for a missing or foreign file or a header that cannot be right, here; for a damaged file,
 * while slices are read
 */
export async function openPlainSlices(file: string, format: TextFormat): Promise<VolumeSlices | undefined> {
  const header = await readTextHeader(file, format);
  const plain = format === 'metaimage' ? plainMetaImage(file, header) : plainNrrd(file, header);
  if (!plain) return undefined;
  const { grid, ArrayType, swapped } = plain;
  const voxels = {
    file: header.dataFile,
    start: header.dataOffset,
    compressed: header.encoding === 'compressed',
    skip: header.dataSkip,
    bytes: header.bytes,
  };
  const toValues = (bytes: Uint8Array) => {
    if (swapped) swapBytes(bytes, ArrayType.BYTES_PER_ELEMENT);
    return new ArrayType(bytes.buffer, bytes.byteOffset, bytes.length / ArrayType.BYTES_PER_ELEMENT);
  };
  return { ...grid, channels: 1, slices: () => slicesOfFile(voxels, header.bytes / grid.size[2], toValues) };
}

/** Turns the bytes of numbers of 2 or 4 bytes round, where they lie. */
function swapBytes({ buffer, byteOffset, byteLength }: Uint8Array, each: number): void {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  if (each === 2) bytes.swap16();
  else bytes.swap32();
}

/**
 * The whole of a plain MetaImage or NRRD, from its slices.
 * @returns undefined when it is not plain
 * @throws DataError as `openPlainSlices` does, and for a damaged file
 */
export async function readPlainSlices(file: string, format: TextFormat): Promise<Volume | undefined> {
  const opened = await openPlainSlices(file, format);
  if (!opened) return undefined;
  requireMemory(4 * voxelCount(opened), file, 'reading it whole');
  return volumeOfSlices(opened);
}
