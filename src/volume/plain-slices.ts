import { plainMetaImage, plainNrrd } from './plain-header.js';
import { readTextHeader, type TextFormat } from './text-header.js';
import { slicesOfFile, type VolumeSlices } from './volume-slices.js';

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
  const { grid, ArrayType } = plain;
  const voxels = {
    file: header.dataFile,
    start: header.dataOffset,
    compressed: header.encoding === 'compressed',
    skip: 0,
    bytes: header.bytes,
  };
  const toValues = (bytes: Uint8Array) =>
    new ArrayType(bytes.buffer, bytes.byteOffset, bytes.length / ArrayType.BYTES_PER_ELEMENT);
  return { ...grid, channels: 1, slices: () => slicesOfFile(voxels, header.bytes / grid.size[2], toValues) };
}
