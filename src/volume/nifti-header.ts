import { NIFTI2, readHeader } from 'nifti-reader-js';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { type Affine, checkAffine, spacingOf } from './affine.js';
import { AXES, type Axis, mapAxes, type Triple } from './triple.js';
import type { Grid, VoxelArrayType } from './volume.js';

/** What a NIfTI-1 or -2 header says, checked. */
export interface NiftiHeader extends Grid {
  readonly channels: number;
  readonly type: VoxelType;
  readonly littleEndian: boolean;
  /** Byte at which voxels begin. */
  readonly dataOffset: number;
  /** stored * slope + intercept = value; 1 and 0 when the header sets none. */
  readonly slope: number;
  readonly intercept: number;
}

/** A numeric voxel type of NIfTI. 64-bit types are kept in 32 bits: scans and labels never need more. */
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

/** Bytes that hold either header with the flag that extensions follow. */
export const headerBytes = 544;

/** More voxels than any scanner makes, and than a typed array of floats should be asked to hold. */
const largestVoxelCount = 2 ** 32;

/**
 * Reads and checks a header.
 * @param bytes the file's first `headerBytes` bytes (fewer if the file is shorter), not compressed
 * @throws DataError naming the file and the field that cannot be right
 */
export function parseNiftiHeader(bytes: Uint8Array, file: string): NiftiHeader {
  const { buffer } = Uint8Array.from(bytes); // a copy: a Buffer's own may begin elsewhere
  let header: ReturnType<typeof readHeader>;
  try {
    header = readHeader(buffer);
  } catch (error) {
    throw foreign(file, { cause: error });
  }
  if (!header) throw foreign(file);
  const { size, channels } = checkedSize(header.dims, file);
  const type = voxelTypes[header.datatypeCode];
  if (!type) {
    const found = `${header.datatypeCode} (${header.getDatatypeCodeString(header.datatypeCode)})`;
    throw new DataError(
      `${file}: datatype is ${found}; expected one of ${Object.values(voxelTypes)
        .map(({ name }) => name)
        .join(', ')}`,
      { file, field: 'datatype', found },
    );
  }
  const affine = headerAffine(header, new DataView(buffer), size);
  checkAffine(affine, file, 'fix sform or qform in the header');
  const scaled =
    header.scl_slope !== 0 && Number.isFinite(header.scl_slope) && Number.isFinite(header.scl_inter);
  return {
    size,
    spacing: spacingOf(affine),
    affine,
    channels,
    type,
    littleEndian: header.littleEndian,
    dataOffset: Math.max(352, Math.floor(header.vox_offset)),
    slope: scaled ? header.scl_slope : 1,
    intercept: scaled ? header.scl_inter : 0,
  };
}

const foreign = (file: string, options?: ErrorOptions): DataError =>
  new DataError(
    `${file} is not a NIfTI-1 or NIfTI-2 file: its header has neither size nor magic number of one`,
    { file },
    options,
  );

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

/**
 * sform where it is set, else qform, else the spacing around a centred origin with x to the left, as nibabel
 * does.
 */
function headerAffine(header: ReturnType<typeof readHeader>, view: DataView, size: Triple): Affine {
  const pixels = mapAxes(AXES, (axis) => Math.abs(itemAt(header.pixDims, axis + 1)) || 1);
  if (header.sform_code > 0) {
    const long = header instanceof NIFTI2;
    const { littleEndian } = header;
    const number = (i: number) =>
      long ? view.getFloat64(400 + 8 * i, littleEndian) : view.getFloat32(280 + 4 * i, littleEndian);
    return { rows: Array.from({ length: 12 }, (_, i) => number(i)) };
  }
  if (header.qform_code > 0) return quaternionAffine(header, pixels);
  const centre = (axis: Axis) => ((size[axis] - 1) / 2) * pixels[axis];
  return { rows: [-pixels[0], 0, 0, centre(0), 0, pixels[1], 0, -centre(1), 0, 0, pixels[2], -centre(2)] };
}

/**
 * NIfTI's "method 2": a rotation given by a unit quaternion whose real part is left out, spacing, and a sign
 * for the third axis.
 */
function quaternionAffine(header: ReturnType<typeof readHeader>, pixels: Triple): Affine {
  let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d];
  const squared = b * b + c * c + d * d;
  const a = Math.sqrt(Math.max(0, 1 - squared));
  if (squared > 1) [b, c, d] = mapAxes([b, c, d], (n) => n / Math.sqrt(squared)); // rounding in the file
  const zSign = itemAt(header.pixDims, 0) < 0 ? -1 : 1;
  const rotation: readonly [Triple, Triple, Triple] = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const offsets = [header.qoffset_x, header.qoffset_y, header.qoffset_z] as const;
  return {
    rows: mapAxes(rotation, ([x, y, z], world) => [
      x * pixels[0],
      y * pixels[1],
      z * pixels[2] * zSign,
      offsets[world],
    ]).flat(),
  };
}
