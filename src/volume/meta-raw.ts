import { open } from 'node:fs/promises';
import { DataError } from '../errors.js';
import { requireMemory } from '../free-memory.js';
import { plainMetaImage } from './plain-header.js';
import type { TextHeader } from './text-header.js';
import { type Volume, voxelCount } from './volume.js';

/**
 * The plain MetaImage that LUNA16 and most others are. Its voxels go straight from the file into the array,
 * where ITK needs more than twice the memory and half a second more for a large scan.
 * @returns undefined when the header says anything else, the bytes are in another order, or the voxels are compressed
 * @throws DataError when the axes do not span space
 */
export async function readPlainMetaImage(file: string, header: TextHeader): Promise<Volume | undefined> {
  const plain = header.encoding === 'raw' ? plainMetaImage(file, header) : undefined;
  if (!plain || plain.swapped) return undefined;
  const { grid, ArrayType } = plain;
  const data = new ArrayType(await readBytes(header.dataFile, header.dataOffset, header.bytes));
  return { ...grid, channels: data.length / voxelCount(grid), data };
}

/** The header was checked against the file's length, so that everything is there. */
async function readBytes(file: string, offset: number, length: number): Promise<ArrayBuffer> {
  requireMemory(length, file, 'reading it whole');
  const bytes = new Uint8Array(length);
  const handle = await open(file);
  try {
    for (let done = 0; done < length; ) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 1 << 26), offset + done);
      if (bytesRead === 0)
        throw new DataError(`${file} became shorter while it was read: copy or download it again`, { file });
      done += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes.buffer;
}
