import { NIFTI2, readHeader } from 'nifti-reader-js';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { spacingOf } from './affine.js';
import { foreignKind } from './foreign-kind.js';
import { niftiGeometry, type ParsedHeader } from './nifti-geometry.js';
import type { Triple } from './triple.js';
import type { Grid, VoxelArrayType } from './volume.js';

/** What a NIfTI-1 or -2 header says, checked. */
export interface NiftiHeader extends Grid {
  readonly channels: number;
  readonly type: VoxelType;
  readonly littleEndian: boolean;
  /** Byte at which voxels begin, of the other file in a pair. */
  readonly dataOffset: number;
  /** Whether voxels are in a file of their own: magic `ni1` or `ni2`. */
  readonly inPair: boolean;
  /** stored * slope + intercept = value; 1 and 0 when the header sets none. */
  readonly slope: number;
  readonly intercept: number;
  /** What readers take differently, or had to guess: one sentence each, which names the file. */
  readonly oddities: readonly string[];
}

/** A numeric voxel type of NIfTI. Intensities of 64 bits are kept in 32: scans never need more. */
export interface VoxelType {
  readonly name: string;
  readonly bytes: number;
  readonly array: VoxelArrayType;
  readonly read: (view: DataView, offset: number, littleEndian: boolean) => number;
}

const voxelTypes: Readonly<Record<number, VoxelType>> = {
  2: { name: 'uint8', bytes: 1, array: Uint8Array, read: (v, o) => v.getUint8(o) },
  4: { name: 'int16', bytes: 2, array: Int16Array, read: (v, o, le) => v.getInt16(o, le) },
  8: { name: 'int32', bytes: 4, array: Int32Array, read: (v, o, le) => v.getInt32(o, le) },
  16: { name: 'float32', bytes: 4, array: Float32Array, read: (v, o, le) => v.getFloat32(o, le) },
  64: { name: 'float64', bytes: 8, array: Float32Array, read: (v, o, le) => v.getFloat64(o, le) },
  256: { name: 'int8', bytes: 1, array: Int8Array, read: (v, o) => v.getInt8(o) },
  512: { name: 'uint16', bytes: 2, array: Uint16Array, read: (v, o, le) => v.getUint16(o, le) },
  768: { name: 'uint32', bytes: 4, array: Uint32Array, read: (v, o, le) => v.getUint32(o, le) },
  1024: { name: 'int64', bytes: 8, array: Float32Array, read: (v, o, le) => Number(v.getBigInt64(o, le)) },
  1280: { name: 'uint64', bytes: 8, array: Float32Array, read: (v, o, le) => Number(v.getBigUint64(o, le)) },
};

/** Names of the types that are not read. */
const otherTypes: Readonly<Record<number, string>> = {
  0: 'unknown',
  1: 'one bit a voxel',
  32: 'complex64',
  128: 'RGB24, in colour',
  1536: 'float128',
  1792: 'complex128',
  2048: 'complex256',
  2304: 'RGBA32, in colour',
};

/** Bytes that hold either header with the flag that extensions follow. */
export const headerBytes = 544;

/** More than a number of 32 bits counts. */
const largestVoxelCount = 2 ** 32;

/**
 * Reads and checks a header.
 * @param bytes the file's first `headerBytes` bytes (fewer if the file is shorter), not compressed
 * @param mayBePair whether the file has the name of a header with its voxels in another file
 * @throws DataError naming the file and the field that cannot be right
 */
export function parseNiftiHeader(bytes: Uint8Array, file: string, mayBePair = false): NiftiHeader {
  const { buffer } = withoutExtensions(bytes);
  let header: ReturnType<typeof readHeader>;
  try {
    header = readHeader(buffer, true); // pairs too
  } catch (error) {
    throw foreign(file, bytes, { cause: error });
  }
  if (!header) throw foreign(file, bytes);
  const inPair = /^ni[12]/.test(header.magic);
  if (inPair && !mayBePair) {
    throw new DataError(
      `${file} is the header of a pair (its magic is "${header.magic.slice(0, 3)}"), whose voxels are in another file: ` +
        'give the two their names, such as scan.hdr and scan.img',
      { file, field: 'magic', found: header.magic },
    );
  }
  const { size, channels } = checkedSize(header.dims, file);
  const type = voxelTypes[header.datatypeCode];
  if (!type) {
    const name = otherTypes[header.datatypeCode] ?? 'no type of NIfTI';
    const found = `${header.datatypeCode} (${name})`;
    throw new DataError(
      `${file}: datatype is ${found}; expected one of ${Object.values(voxelTypes)
        .map(({ name }) => name)
        .join(', ')}`,
      { file, field: 'datatype', found },
    );
  }
  const { affine, oddities } = niftiGeometry(header, new DataView(buffer), size, file);
  const { slope, intercept, ...scaling } = scalingOf(header, file);
  const start = dataStart(header, inPair, file);
  return {
    size,
    spacing: spacingOf(affine),
    affine,
    channels,
    type,
    littleEndian: header.littleEndian,
    dataOffset: start.offset,
    inPair,
    slope,
    intercept,
    oddities: [...oddities, ...scaling.oddities, ...start.oddities],
  };
}

/**
 * A copy of a header that says that no extensions follow. The library would read them, and they may be longer than
 * what was read of the file; voxels begin where `vox_offset` says.
 */
function withoutExtensions(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (const size of [348, 540]) {
    const isOne = copy.length > size && [view.getInt32(0, true), view.getInt32(0, false)].includes(size);
    if (isOne) view.setUint8(size, 0);
  }
  return copy;
}

/**
 * Slope and intercept. A slope of 0 or NaN means none, and then ITK adds the intercept and nibabel does not;
 * with an intercept of NaN, nibabel refuses the file and ITK takes 0.
 */
function scalingOf(
  { scl_slope, scl_inter }: ParsedHeader,
  file: string,
): { slope: number; intercept: number; oddities: string[] } {
  const none = { slope: 1, intercept: 0 };
  const hasSlope = scl_slope !== 0 && Number.isFinite(scl_slope);
  const hasIntercept = scl_inter !== 0 && Number.isFinite(scl_inter);
  if (hasSlope && Number.isFinite(scl_inter)) {
    const oddities =
      Math.abs(scl_slope) >= Number.EPSILON
        ? []
        : [
            `${file}: scl_slope is ${scl_slope}; it is applied, as nibabel does, while ITK takes one so small for none: ` +
              'check the intensities',
          ];
    return { slope: scl_slope, intercept: scl_inter, oddities };
  }
  if (!hasSlope && !hasIntercept) {
    const usual = scl_slope === 0 || Number.isNaN(scl_slope); // as nibabel writes it, NaN for both
    const alike = scl_slope === 0 ? scl_inter === 0 : Number.isNaN(scl_inter);
    return {
      ...none,
      oddities:
        usual && alike
          ? []
          : [
              `${file}: scl_slope is ${scl_slope} and scl_inter ${scl_inter}; values are taken as stored, ` +
                'as nibabel and ITK do',
            ],
    };
  }
  if (scl_slope === 0) {
    return {
      ...none,
      oddities: [
        `${file}: scl_slope is 0 and scl_inter ${scl_inter}; values are taken as stored, as NIfTI defines and ` +
          'nibabel does, while ITK adds the intercept: check the intensities',
      ],
    };
  }
  const [field, found] = hasSlope ? ['scl_inter', scl_inter] : ['scl_slope', scl_slope];
  throw new DataError(
    `${file}: scl_slope is ${scl_slope} and scl_inter ${scl_inter}; expected two finite numbers or neither, ` +
      `since readers disagree about what the voxels mean, so fix ${field} in the header`,
    { file, field: String(field), found },
  );
}

/**
 * The byte at which voxels begin: never within the header and the four bytes that follow it, but where voxels have
 * a file of their own.
 */
function dataStart(
  header: ParsedHeader,
  inPair: boolean,
  file: string,
): { offset: number; oddities: string[] } {
  const first = inPair ? 0 : header instanceof NIFTI2 ? 544 : 352;
  const found = header.vox_offset;
  if (found >= first) return { offset: Math.floor(found), oddities: [] };
  if (found === 0) {
    const sentence = `${file}: vox_offset is 0; voxels are taken from byte ${first} on, right after the header`;
    return { offset: first, oddities: [sentence] };
  }
  throw new DataError(
    `${file}: vox_offset is ${found}; expected the byte at which voxels begin, ${first} or more, ` +
      'so fix vox_offset in the header',
    { file, field: 'vox_offset', found },
  );
}

function foreign(file: string, bytes: Uint8Array, options?: ErrorOptions): DataError {
  const kind =
    foreignKind(bytes) ??
    'is not a NIfTI-1 or NIfTI-2 file: its header has neither size nor magic number of one';
  return new DataError(`${file} ${kind}`, { file }, options);
}

/** Axes 1 to 3 are space, the rest multiply to channels. */
function checkedSize(dims: readonly number[], file: string): { size: Triple; channels: number } {
  const rank = itemAt(dims, 0);
  if (!(rank >= 1 && rank <= 7)) {
    throw new DataError(`${file}: dim[0] is ${rank}; expected 1 to 7 axes`, {
      file,
      field: 'dim',
      found: rank,
    });
  }
  const used = dims.slice(1, rank + 1);
  const total = used.reduce((product, n) => product * n, 1);
  if (used.some((n) => !Number.isInteger(n) || n < 1) || total > largestVoxelCount) {
    throw new DataError(
      `${file}: the header gives a size of ${used.join('x')}; expected 1 or more voxels on each axis and at most 2^32 ` +
        'in all, so the header is damaged',
      { file, field: 'dim', found: used },
    );
  }
  const [nx = 1, ny = 1, nz = 1, ...rest] = used;
  return { size: [nx, ny, nz], channels: rest.reduce((product, n) => product * n, 1) };
}
