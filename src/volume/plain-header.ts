import { endianness } from 'node:os';
import { resolve } from 'node:path';
import { spacingOf } from './affine.js';
import { metaImageGeometry } from './meta-geometry.js';
import { nrrdGeometry } from './nrrd-geometry.js';
import type { TextHeader } from './text-header.js';
import { isTriple } from './triple.js';
import type { Grid, VoxelArrayType } from './volume.js';

/**
 * What a plain MetaImage or NRRD is: three axes, one channel, a type that has an array of its own.
 */
export interface PlainHeader {
  readonly grid: Grid;
  readonly ArrayType: VoxelArrayType;
  /** Whether its bytes are in the other order than this machine's. */
  readonly swapped: boolean;
}

/** By the names of their types: MetaImage's, whose LONG has 4 bytes everywhere, then NRRD's with its synonyms. */
const arrays: ReadonlyMap<string, VoxelArrayType> = new Map(
  (
    [
      [Int8Array, 'MET_CHAR, signed char, int8, int8_t'],
      [Uint8Array, 'MET_UCHAR, unsigned char, uchar, uint8, uint8_t'],
      [Int16Array, 'MET_SHORT, short, short int, signed short, signed short int, int16, int16_t'],
      [Uint16Array, 'MET_USHORT, unsigned short, ushort, unsigned short int, uint16, uint16_t'],
      [Int32Array, 'MET_INT, MET_LONG, int, signed int, int32, int32_t'],
      [Uint32Array, 'MET_UINT, MET_ULONG, unsigned int, uint, uint32, uint32_t'],
      [Float32Array, 'MET_FLOAT, float'],
    ] as const
  ).flatMap(([ArrayType, names]) => names.split(', ').map((name) => [name, ArrayType] as const)),
);

/**
 * Undefined when the header says anything but a plain MetaImage. Throws DataError when its place cannot be right.
 */
export function plainMetaImage(file: string, header: TextHeader): PlainHeader | undefined {
  const { fields, sizes, encoding, meta } = header;
  const ArrayType = arrays.get(fields.get('elementtype') ?? '');
  const single = Number(fields.get('elementnumberofchannels') ?? 1) === 1;
  if (!ArrayType || !meta || !single || encoding === 'text' || !isTriple(sizes)) return undefined;
  const { affine } = metaImageGeometry(file, header);
  const swapped = ArrayType.BYTES_PER_ELEMENT > 1 && meta.bigEndian !== (endianness() === 'BE');
  return { grid: { size: sizes, spacing: spacingOf(affine), affine }, ArrayType, swapped };
}

/**
 * Undefined when the header says anything but a plain NRRD. Throws DataError when its place cannot be right.
 */
export function plainNrrd(file: string, header: TextHeader): PlainHeader | undefined {
  const { fields, sizes, encoding } = header;
  const ArrayType = arrays.get(fields.get('type')?.toLowerCase() ?? '');
  const geometry = nrrdGeometry(resolve(file), header);
  const endian = fields.get('endian')?.toLowerCase();
  const ordered = ArrayType?.BYTES_PER_ELEMENT === 1 || endian === 'little' || endian === 'big';
  const kinds = fields.get('kinds') ?? 'domain domain domain';
  const single = /^(domain domain domain|space space space)$/.test(kinds);
  const moved = ['byte skip', 'byteskip', 'line skip', 'lineskip'].some((key) => fields.has(key));
  if (!ArrayType || !ordered || !single || moved || encoding === 'text' || !isTriple(sizes)) return undefined;
  if (!geometry) return undefined;
  const { affine } = geometry;
  const swapped = ArrayType.BYTES_PER_ELEMENT > 1 && (endian === 'big') !== (endianness() === 'BE');
  return { grid: { size: sizes, spacing: spacingOf(affine), affine }, ArrayType, swapped };
}
