import { open, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { DataError } from '../errors.js';
import { requireMemory } from '../free-memory.js';
import { contentOf, type VoxelBytes, voxelPieces } from './file-content.js';
import { headerBytes, type NiftiHeader, parseNiftiHeader } from './nifti-header.js';
import { isPairName, niftiPair } from './nifti-pair.js';
import { requirePossibleCount, type ValueUse, type Volume, type VoxelArray, voxelCount } from './volume.js';

/**
 * A deflate stream can shrink by 1032 at most; a header that asks for more than this from a file of its size
 * is wrong.
 */
const largestCompression = 1100;

/**
 * Reads a NIfTI-1 or -2 file, `.nii` or `.nii.gz` (told by content, not by name), or a pair of `.hdr` and `.img`,
 * given either. Slope and intercept are
 * applied. Values stay in the file's type where they can; float64 and 64-bit integers become float32, or
 * float64 where they are labels.
 * @throws DataError for a missing, truncated or foreign file, or a header that cannot be right
 */
export async function readNifti(file: string, use: ValueUse = 'intensities'): Promise<Volume> {
  const { header, voxels } = await openNifti(file);
  const { size, spacing, affine, channels } = header;
  const converted = header.slope !== 1 || header.intercept !== 0 || header.type.bytes === 8;
  const values = voxels.bytes / header.type.bytes;
  requireMemory(
    voxels.bytes + (converted ? values * (use === 'labels' ? 8 : 4) : 0),
    file,
    'reading it whole',
  );
  const bytes = new Uint8Array(voxels.bytes);
  let filled = 0;
  for await (const piece of voxelPieces(voxels)) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  return { size, spacing, affine, channels, data: toValues(header, bytes, use) };
}

/** Reads and checks only the header, however large the file. Throws as `readNifti` does. */
export async function readVolumeHeader(file: string): Promise<NiftiHeader> {
  return (await openStart(file)).header;
}

/** Reads the header, and where the voxels stand. Throws as `readNifti` does. */
export async function openNifti(file: string): Promise<{ header: NiftiHeader; voxels: VoxelBytes }> {
  const { header, voxels } = await openStart(file);
  const bytes = checkedDataBytes(header, voxels.file, voxels.fileBytes, voxels.compressed);
  const { file: voxelFile, compressed } = voxels;
  return { header, voxels: { file: voxelFile, start: 0, compressed, skip: header.dataOffset, bytes } };
}

interface VoxelFile {
  readonly file: string;
  readonly fileBytes: number;
  readonly compressed: boolean;
}

async function openStart(file: string): Promise<{ header: NiftiHeader; voxels: VoxelFile }> {
  await sizeOf(file);
  const pair = isPairName(file) ? await niftiPair(file) : undefined;
  const headerFile = pair?.header ?? file;
  let start = new Uint8Array(0);
  for await (const chunk of contentOf(headerFile, await isGzip(headerFile), 0, headerBytes)) {
    start = Buffer.concat([start, chunk.subarray(0, headerBytes - start.length)]);
    if (start.length === headerBytes) break;
  }
  const header = parseNiftiHeader(start, headerFile, pair !== undefined);
  // A single file may have the name of a header.
  const voxelFile = header.inPair && pair ? pair.voxels : headerFile;
  const fileBytes = await sizeOf(voxelFile);
  return { header, voxels: { file: voxelFile, fileBytes, compressed: await isGzip(voxelFile) } };
}

function checkedDataBytes(header: NiftiHeader, file: string, fileBytes: number, compressed: boolean): number {
  const expected = voxelCount(header) * header.channels * header.type.bytes;
  const possible = compressed ? fileBytes * largestCompression : fileBytes - header.dataOffset;
  if (expected <= possible) {
    requirePossibleCount(voxelCount(header) * header.channels, file);
    return expected;
  }
  throw new DataError(
    `${file} is truncated or its header is damaged: a size of ${header.size.join('x')}x${header.channels} ` +
      `${header.type.name} needs ${expected} bytes, more than a file of ${fileBytes} bytes can hold`,
    { file, field: 'dim', found: header.size, expected },
  );
}

/** The values that bytes of voxels stand for. */
export function toValues(
  { type, littleEndian, slope, intercept }: NiftiHeader,
  bytes: Uint8Array,
  use: ValueUse = 'intensities',
): VoxelArray {
  const count = bytes.length / type.bytes;
  const scaled = slope !== 1 || intercept !== 0;
  const native = (endianness() === 'LE') === littleEndian || type.bytes === 1;
  if (native && !scaled && type.array.BYTES_PER_ELEMENT === type.bytes) {
    return new type.array(bytes.buffer, bytes.byteOffset, count);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const FloatArray = use === 'labels' ? Float64Array : Float32Array;
  const wide = scaled || type.bytes > type.array.BYTES_PER_ELEMENT;
  const values = wide ? new FloatArray(count) : new type.array(count);
  for (let i = 0; i < count; i++)
    values[i] = type.read(view, i * type.bytes, littleEndian) * slope + intercept;
  return values;
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    const what = error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code})`;
    throw new DataError(`${file} ${what}: check the path`, { file }, { cause: error });
  });
  if (!found.isFile())
    throw new DataError(`${file} is ${found.isDirectory() ? 'a folder' : 'no file'}; expected a NIfTI file`, {
      file,
    });
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
