import { endianness } from 'node:os';
import { resolve } from 'node:path';
import { itemAt } from '../at.js';
import { checkAffine, spacingOf } from './affine.js';
import { lpsToRas } from './itk-volume.js';
import { nrrdGeometry } from './nrrd-geometry.js';
import type { TextHeader } from './text-header.js';
import { AXES, isTriple, mapAxes, type Triple } from './triple.js';
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

/** By the names of their types: MetaImage's, then NRRD's with its synonyms. */
const arrays: ReadonlyMap<string, VoxelArrayType> = new Map(
  (
    [
      [Int8Array, 'MET_CHAR, signed char, int8, int8_t'],
      [Uint8Array, 'MET_UCHAR, unsigned char, uchar, uint8, uint8_t'],
      [Int16Array, 'MET_SHORT, short, short int, signed short, signed short int, int16, int16_t'],
      [Uint16Array, 'MET_USHORT, unsigned short, ushort, unsigned short int, uint16, uint16_t'],
      [Int32Array, 'MET_INT, int, signed int, int32, int32_t'],
      [Uint32Array, 'MET_UINT, unsigned int, uint, uint32, uint32_t'],
      [Float32Array, 'MET_FLOAT, float'],
    ] as const
  ).flatMap(([ArrayType, names]) => names.split(', ').map((name) => [name, ArrayType] as const)),
);

/**
 * Undefined when the header says anything but a plain MetaImage. Throws DataError when the axes do not span
 * space.
 */
export function plainMetaImage(
  file: string,
  { fields, sizes, encoding, meta }: TextHeader,
): PlainHeader | undefined {
  const ArrayType = arrays.get(fields.get('elementtype') ?? '');
  // Older names stand for the same in the order in which ITK looks for them.
  const first = (...names: string[]) =>
    names.map((name) => fields.get(name)).find((text) => text !== undefined);
  const direction = numbers(first('transformmatrix', 'rotation', 'orientation'), 9);
  const origin = threeNumbers(first('offset', 'position', 'origin'));
  const spacing = threeNumbers(first('elementspacing', 'elementsize'));
  const single = (fields.get('elementnumberofchannels') ?? '1') === '1' && !fields.has('headersize');
  if (!ArrayType || !direction || !origin || !spacing || !meta || !single || encoding === 'text')
    return undefined;
  if (!isTriple(sizes) || spacing.some((n) => n <= 0)) return undefined;
  // The file lists the direction of each axis one after another; the affine holds them as columns.
  const axes = mapAxes(spacing, (mm, axis) =>
    mapAxes(AXES, (world) => itemAt(direction, 3 * axis + world) * mm * meta.mm),
  );
  return {
    grid: gridOf(
      file,
      sizes,
      axes,
      mapAxes(origin, (n) => n * meta.mm),
      'correct TransformMatrix and ElementSpacing in the header',
    ),
    ArrayType,
    swapped: ArrayType.BYTES_PER_ELEMENT > 1 && meta.bigEndian !== (endianness() === 'BE'),
  };
}

/**
 * Undefined when the header says anything but a plain NRRD. Throws DataError when its place cannot be right.
 */
export function plainNrrd(file: string, header: TextHeader): PlainHeader | undefined {
  const { fields, sizes, encoding } = header;
  const ArrayType = arrays.get(fields.get('type') ?? '');
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

/** @param axes the step from a voxel to the next along each, into LPS, mm */
function gridOf(
  file: string,
  size: Triple,
  axes: readonly [Triple, Triple, Triple],
  origin: Triple,
  remedy: string,
): Grid {
  const affine = lpsToRas({
    rows: AXES.flatMap((world) => [...axes.map((axis) => axis[world]), origin[world]]),
  });
  checkAffine(affine, resolve(file), remedy);
  return { size, spacing: spacingOf(affine), affine };
}

function threeNumbers(text: string | undefined): Triple | undefined {
  const values = numbers(text, 3);
  return values && isTriple(values) ? values : undefined;
}

function numbers(text: string | undefined, count: number): number[] | undefined {
  const values = (text ?? '').split(/\s+/).filter(Boolean).map(Number);
  return values.length === count && values.every(Number.isFinite) ? values : undefined;
}
