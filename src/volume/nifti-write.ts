import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { entryOf, itemAt } from '../at.js';
import { UsageError } from '../errors.js';
import { writeWholeFile } from '../whole-file.js';
import { affineDeterminant, affineRows, nearestRotation, spacingOf } from './affine.js';
import { AXES, mapAxes, type Triple } from './triple.js';
import type { Volume, VoxelArray } from './volume.js';

const headerLength = 352;

/**
 * Writes a volume as NIfTI-1, compressed when the name ends in `.gz`; more than one channel becomes a fourth
 * axis. The file appears whole or not at all. sform holds the affine; qform too unless the axes are sheared,
 * which it cannot express.
 * @throws UsageError when the name ends otherwise or an axis is longer than NIfTI-1 can say
 */
export async function writeNifti(file: string, volume: Volume): Promise<void> {
  if (!/\.nii(\.gz)?$/.test(file)) throw new UsageError(`${file} does not end in .nii or .nii.gz`, { file });
  if (Math.max(...volume.size, volume.channels) > 32767) {
    const size = volume.size.join('x');
    throw new UsageError(`${file}: an axis of ${size} is longer than 32767, the most that NIfTI-1 holds`, {
      file,
    });
  }
  const bytes = niftiBytes(volume);
  await writeWholeFile(file, file.endsWith('.gz') ? await promisify(gzip)(bytes, { level: 4 }) : bytes);
}

/** The content of an uncompressed NIfTI-1 file; no axis may be longer than 32767. */
export function niftiBytes(volume: Volume): Buffer {
  const { data } = volume;
  return Buffer.concat([niftiHeader(volume), Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

function niftiHeader(volume: Volume): Buffer {
  const { size, channels, affine } = volume;
  const header = Buffer.alloc(headerLength);
  const { code, bits } = typeCode(volume.data);
  header.writeInt32LE(348, 0);
  const dims = [channels > 1 ? 4 : 3, ...size, channels, 1, 1, 1];
  for (const [i, n] of dims.entries()) header.writeInt16LE(n, 40 + 2 * i);
  header.writeInt16LE(code, 70);
  header.writeInt16LE(bits, 72);
  const handedness = affineDeterminant(affine) < 0 ? -1 : 1;
  const pixDims = [handedness, ...spacingOf(affine), 1, 1, 1, 1];
  for (const [i, n] of pixDims.entries()) header.writeFloatLE(n, 76 + 4 * i);
  header.writeFloatLE(headerLength, 108);
  header.writeFloatLE(1, 112);
  header.writeUInt8(2, 123); // mm
  const rotation = nearestRotation(affine);
  if (isRotation(volume, rotation)) {
    header.writeInt16LE(1, 252);
    const proper = mapAxes(rotation, ([x, y, z]): Triple => [x, y, z * handedness]);
    const offset = affineRows(affine).map((row) => row[3]);
    for (const [i, n] of [...quaternion(proper), ...offset].entries()) header.writeFloatLE(n, 256 + 4 * i);
  }
  header.writeInt16LE(1, 254);
  for (const [i, n] of affine.rows.entries()) header.writeFloatLE(n, 280 + 4 * i);
  header.write('n+1\0', 344, 'latin1');
  return header;
}

function typeCode(data: VoxelArray): { code: number; bits: number } {
  return { code: entryOf(typeCodes, data.constructor.name), bits: 8 * data.BYTES_PER_ELEMENT };
}

const typeCodes = {
  Uint8Array: 2,
  Int16Array: 4,
  Int32Array: 8,
  Float32Array: 16,
  Float64Array: 64,
  Int8Array: 256,
  Uint16Array: 512,
  Uint32Array: 768,
};

/** Whether the directions are orthogonal, so that a quaternion can say them. */
function isRotation({ affine, spacing }: Volume, rotation: Rotation): boolean {
  const rows = affineRows(affine);
  return AXES.every((world) =>
    AXES.every((axis) => Math.abs(rotation[world][axis] - rows[world][axis] / spacing[axis]) < 1e-4),
  );
}

type Rotation = ReturnType<typeof nearestRotation>;

/**
 * The imaginary parts `b, c, d` of the unit quaternion of a proper rotation, with a real part of at least 0.
 */
function quaternion([[r11, r12, r13], [r21, r22, r23], [r31, r32, r33]]: Rotation): Triple {
  const squares = [1 + r11 + r22 + r33, 1 + r11 - r22 - r33, 1 - r11 + r22 - r33, 1 - r11 - r22 + r33];
  const largest = squares.indexOf(Math.max(...squares));
  const q = Math.sqrt(itemAt(squares, largest)) / 2;
  const parts: readonly (readonly [number, number, number, number])[] = [
    [q, (r32 - r23) / (4 * q), (r13 - r31) / (4 * q), (r21 - r12) / (4 * q)],
    [(r32 - r23) / (4 * q), q, (r12 + r21) / (4 * q), (r13 + r31) / (4 * q)],
    [(r13 - r31) / (4 * q), (r12 + r21) / (4 * q), q, (r23 + r32) / (4 * q)],
    [(r21 - r12) / (4 * q), (r13 + r31) / (4 * q), (r23 + r32) / (4 * q), q],
  ];
  const [a, b, c, d] = itemAt(parts, largest);
  const sign = a < 0 ? -1 : 1;
  return [sign * b, sign * c, sign * d];
}
