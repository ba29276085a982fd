import { endianness } from 'node:os';
import { itemAt } from '../at.js';
import { requireMemory } from '../free-memory.js';
import { spacingOf } from './affine.js';
import { voxelPieces } from './file-content.js';
import { type NumberArray, planarValues } from './itk-volume.js';
import { metaImageGeometry } from './meta-geometry.js';
import type { TextHeader } from './text-header.js';
import { isTriple } from './triple.js';
import type { ValueUse, Volume } from './volume.js';

/** Arrays by the types of a MetaImage, whose LONG has 4 bytes everywhere. */
const arrays: ReadonlyMap<
  string,
  { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): NumberArray }
> = new Map<string, { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): NumberArray }>([
  ['MET_CHAR', Int8Array],
  ['MET_UCHAR', Uint8Array],
  ['MET_SHORT', Int16Array],
  ['MET_USHORT', Uint16Array],
  ['MET_INT', Int32Array],
  ['MET_LONG', Int32Array],
  ['MET_UINT', Uint32Array],
  ['MET_ULONG', Uint32Array],
  ['MET_FLOAT', Float32Array],
  ['MET_LONG_LONG', BigInt64Array],
  ['MET_ULONG_LONG', BigUint64Array],
  ['MET_DOUBLE', Float64Array],
]);

/**
 * A MetaImage whose voxels are binary, of any type, channels and order of bytes, compressed or not, with a fourth axis
 * or without. ITK gives zeros without a word where `CompressedDataSize` is missing, what follows its bytes where it is
 * too small, and two voxels for one of `MET_LONG` in WebAssembly.
 * @returns undefined when its voxels are written out as text, which ITK reads
 * @throws DataError when its place cannot be right, or voxels are damaged
 */
export async function readMetaImage(
  file: string,
  header: TextHeader,
  use: ValueUse = 'intensities',
): Promise<Volume | undefined> {
  const { fields, sizes, encoding, meta, bytes } = header;
  const ArrayType = arrays.get(fields.get('elementtype') ?? '');
  const size = sizes.slice(0, 3);
  if (!ArrayType || !meta || encoding === 'text' || !isTriple(size)) return undefined;
  const { affine } = metaImageGeometry(file, header);
  const each = ArrayType.BYTES_PER_ELEMENT;
  const components = Number(fields.get('elementnumberofchannels') ?? 1);
  requireMemory((components > 1 || each === 8 ? 2 : 1) * bytes, file, 'reading it whole');
  const stored = await storedBytes(header);
  if (meta.bigEndian !== (endianness() === 'BE')) swap(stored, each);
  const further = sizes.slice(3).reduce((all, n) => all * n, 1);
  const voxels = itemAt(size, 0) * itemAt(size, 1) * itemAt(size, 2) * further;
  return {
    size,
    spacing: spacingOf(affine),
    affine,
    channels: components * further,
    data: planarValues(new ArrayType(stored.buffer), { components, voxels, use }),
  };
}

async function storedBytes({
  dataFile,
  dataOffset,
  dataSkip,
  encoding,
  bytes,
}: TextHeader): Promise<Uint8Array<ArrayBuffer>> {
  const stored = new Uint8Array(bytes);
  let filled = 0;
  const compressed = encoding === 'compressed';
  for await (const piece of voxelPieces({
    file: dataFile,
    start: dataOffset,
    compressed,
    skip: dataSkip,
    bytes,
  })) {
    stored.set(piece, filled);
    filled += piece.length;
  }
  return stored;
}

function swap({ buffer }: Uint8Array, each: number): void {
  const bytes = Buffer.from(buffer);
  if (each === 2) bytes.swap16();
  else if (each === 4) bytes.swap32();
  else if (each === 8) bytes.swap64();
}
