import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { resolve } from 'node:path';
import { checkAffine, spacingOf } from './affine.js';
import { lpsToRas } from './itk-volume.js';
import type { TextHeader } from './text-header.js';
import { type Triple, type Volume, type VoxelArray, voxelCount } from './volume.js';

const arrays: Readonly<Record<string, new (buffer: ArrayBuffer) => VoxelArray>> = {
  MET_CHAR: Int8Array,
  MET_UCHAR: Uint8Array,
  MET_SHORT: Int16Array,
  MET_USHORT: Uint16Array,
  MET_INT: Int32Array,
  MET_UINT: Uint32Array,
  MET_FLOAT: Float32Array,
};

/**
 * The plain MetaImage that LUNA16 and most others are: three axes, one channel, not compressed, in this machine's byte order. Its voxels go
 * straight from the file into the array, where ITK needs more than twice the memory and half a second more for a large scan.
 * @returns undefined when the header says anything else, which is ITK's to read
 * @throws DataError when the axes do not span space
 */
export async function readPlainMetaImage(
  file: string,
  { fields, sizes, encoding, bytes, dataFile, dataOffset }: TextHeader,
): Promise<Volume | undefined> {
  const ArrayType = arrays[fields.get('elementtype') ?? ''];
  const direction = numbers(fields.get('transformmatrix'), 9);
  const origin = numbers(fields.get('offset'), 3);
  const spacing = numbers(fields.get('elementspacing'), 3);
  const ordered = /^true$/i.test(fields.get('binarydatabyteordermsb') ?? 'False') === (endianness() === 'BE');
  const single = (fields.get('elementnumberofchannels') ?? '1') === '1' && sizes.length === 3 && !fields.has('headersize');
  if (!ArrayType || !direction || !origin || !spacing || !ordered || !single || encoding !== 'raw' || spacing.some((n) => n <= 0)) return undefined;
  const size = sizes as unknown as Triple;
  // The file lists the direction of each axis one after another; the affine holds them as columns.
  const rows = [0, 1, 2].flatMap((row) => [...[0, 1, 2].map((axis) => direction[3 * axis + row]! * spacing[axis]!), origin[row]!]);
  const affine = lpsToRas({ rows });
  checkAffine(affine, resolve(file), 'correct TransformMatrix and ElementSpacing in the header');
  const data = new ArrayType(await readBytes(dataFile, dataOffset, bytes));
  return { size, spacing: spacingOf(affine), affine, channels: data.length / voxelCount({ size }), data };
}

function numbers(text: string | undefined, count: number): number[] | undefined {
  const values = (text ?? '').split(/\s+/).filter(Boolean).map(Number);
  return values.length === count && values.every(Number.isFinite) ? values : undefined;
}

/** The header was checked against the file's length, so that everything is there. */
async function readBytes(file: string, offset: number, length: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const handle = await open(file);
  try {
    for (let done = 0; done < length; ) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 1 << 26), offset + done);
      if (bytesRead === 0) throw new Error(`${file} became shorter while it was read`);
      done += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes.buffer;
}
