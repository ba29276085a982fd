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

/** By the names of their types: MetaImage's, then NRRD's as ITK writes them. */
const arrays: ReadonlyMap<string, VoxelArrayType> = new Map<string, VoxelArrayType>([
  ['MET_CHAR', Int8Array],
  ['MET_UCHAR', Uint8Array],
  ['MET_SHORT', Int16Array],
  ['MET_USHORT', Uint16Array],
  ['MET_INT', Int32Array],
  ['MET_UINT', Uint32Array],
  ['MET_FLOAT', Float32Array],
  ['signed char', Int8Array],
  ['unsigned char', Uint8Array],
  ['uchar', Uint8Array],
  ['uint8', Uint8Array],
  ['short', Int16Array],
  ['int16', Int16Array],
  ['unsigned short', Uint16Array],
  ['ushort', Uint16Array],
  ['uint16', Uint16Array],
  ['int', Int32Array],
  ['int32', Int32Array],
  ['unsigned int', Uint32Array],
  ['uint32', Uint32Array],
  ['float', Float32Array],
]);

/**
 * Undefined when the header says anything but a plain MetaImage. Throws DataError when the axes do not span
 * space.
 */
export function plainMetaImage(
  file: string,
  { fields, sizes, encoding, meta }: TextHeader,
): PlainHeader | undefined {
  const ArrayType = arrays.get(fields.get('elementtype') ?? '');
  const direction = numbers(fields.get('transformmatrix'), 9);
  const origin = threeNumbers(fields.get('offset'));
  const spacing = threeNumbers(fields.get('elementspacing'));
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
  const ordered =
    ArrayType?.BYTES_PER_ELEMENT === 1 || fields.get('endian') === (endianness() === 'LE' ? 'little' : 'big');
  const kinds = fields.get('kinds') ?? 'domain domain domain';
  const single = /^(domain domain domain|space space space)$/.test(kinds);
  const moved = ['byte skip', 'byteskip', 'line skip', 'lineskip'].some((key) => fields.has(key));
  if (!ArrayType || !ordered || !single || moved || encoding === 'text' || !isTriple(sizes)) return undefined;
  if (!geometry) return undefined;
  const { affine } = geometry;
  return { grid: { size: sizes, spacing: spacingOf(affine), affine }, ArrayType, swapped: false };
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
