import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { createGunzip } from 'node:zlib';
import { DataError } from '../errors.js';
import { headerBytes, type NiftiHeader, parseNiftiHeader } from './nifti-header.js';
import { type Volume, type VoxelArray, voxelCount } from './volume.js';

/** A deflate stream can shrink by 1032 at most; a header that asks for more than this from a file of its size is wrong. */
const largestCompression = 1100;

/**
 * Reads a NIfTI-1 or -2 file, `.nii` or `.nii.gz` (told by content, not by name). Slope and intercept are applied.
 * Values stay in the file's type where they can; float64 and 64-bit integers become float32.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readNifti(file: string): Promise<Volume> {
  const { header, bytes } = await readFileParts(file, true);
  const { size, spacing, affine, channels } = header;
  return { size, spacing, affine, channels, data: toValues(header, bytes) };
}

/** Reads and checks only the header, however large the file. Throws as `readNifti` does. */
export async function readVolumeHeader(file: string): Promise<NiftiHeader> {
  return (await readFileParts(file, false)).header;
}

async function readFileParts(file: string, withVoxels: boolean): Promise<{ header: NiftiHeader; bytes: Uint8Array }> {
  const fileBytes = await sizeOf(file);
  const compressed = await isGzip(file);
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  const stream = compressed ? source.pipe(createGunzip({ chunkSize: 1 << 20 })) : source;
  source.on('error', (error) => stream.destroy(error));
  let start = new Uint8Array(0);
  let header: NiftiHeader | undefined;
  let voxels = new Uint8Array(0);
  let position = 0; // in the uncompressed file
  const begin = () => {
    header = parseNiftiHeader(start, file);
    if (!withVoxels) return;
    voxels = new Uint8Array(checkedDataBytes(header, file, fileBytes, compressed));
    voxels.set(start.subarray(header.dataOffset, header.dataOffset + voxels.length));
  };
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (start.length < headerBytes) {
        start = Buffer.concat([start, chunk.subarray(0, headerBytes - start.length)]);
        if (start.length >= headerBytes) {
          begin();
          if (!withVoxels) break;
        }
      }
      if (header) copyOverlap(chunk, position, voxels, header.dataOffset);
      position += chunk.length;
      if (header && position >= header.dataOffset + voxels.length) break;
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(
      `${file} is damaged or truncated: it could not be decompressed to its end (${(error as Error).message}); copy or download it again`,
      { file },
      { cause: error },
    );
  } finally {
    stream.destroy();
    source.destroy();
  }
  if (!header) begin(); // a file shorter than the longest header
  const found = position - header!.dataOffset;
  if (withVoxels && found < dataBytes(header!)) {
    throw new DataError(
      `${file} is truncated: its header promises ${dataBytes(header!)} bytes of voxels, ${Math.max(0, found)} are there; copy or download it again`,
      {
        file,
        found,
        expected: dataBytes(header!),
      },
    );
  }
  return { header: header!, bytes: voxels };
}

/** Copies the part of `chunk` (at `position` of the file) that lies in the voxel bytes (from `offset` on). */
function copyOverlap(chunk: Uint8Array, position: number, voxels: Uint8Array, offset: number): void {
  const from = Math.max(0, offset - position);
  const to = Math.min(chunk.length, offset + voxels.length - position);
  if (to > from) voxels.set(chunk.subarray(from, to), position + from - offset);
}

function checkedDataBytes(header: NiftiHeader, file: string, fileBytes: number, compressed: boolean): number {
  const expected = dataBytes(header);
  const possible = compressed ? fileBytes * largestCompression : fileBytes - header.dataOffset;
  if (expected <= possible) return expected;
  throw new DataError(
    `${file} is truncated or its header is damaged: a size of ${header.size.join('x')}x${header.channels} ${header.type.name} needs ${expected} bytes, more than a file of ${fileBytes} bytes can hold`,
    { file, field: 'dim', found: header.size, expected },
  );
}

const dataBytes = (header: NiftiHeader): number => voxelCount(header) * header.channels * header.type.bytes;

function toValues({ type, littleEndian, slope, intercept }: NiftiHeader, bytes: Uint8Array): VoxelArray {
  const count = bytes.length / type.bytes;
  const scaled = slope !== 1 || intercept !== 0;
  const native = (endianness() === 'LE') === littleEndian || type.bytes === 1;
  if (native && !scaled && new type.array(0).BYTES_PER_ELEMENT === type.bytes) {
    return new (type.array as unknown as new (buffer: ArrayBufferLike, offset: number, length: number) => VoxelArray)(
      bytes.buffer,
      bytes.byteOffset,
      count,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = scaled ? new Float32Array(count) : new type.array(count);
  for (let i = 0; i < count; i++) values[i] = type.read(view, i * type.bytes, littleEndian) * slope + intercept;
  return values;
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    const what = error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code})`;
    throw new DataError(`${file} ${what}: check the path`, { file }, { cause: error });
  });
  if (!found.isFile()) throw new DataError(`${file} is a folder; expected a NIfTI file`, { file });
  return found.size;
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}
