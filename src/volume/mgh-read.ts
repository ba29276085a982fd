import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { itemAt } from '../at.js';
import { DataError } from '../errors.js';
import { contentOf } from './file-content.js';
import { quietly } from './itk-console.js';
import { volumeOfItk } from './itk-volume.js';
import type { ValueUse, Volume } from './volume.js';

/** What is checked of FreeSurfer's header, which is big-endian, before ITK reads the file. */
export interface MghHeader {
  /** Of all voxels, uncompressed. */
  readonly bytes: number;
}

/** Whether a name is that of a FreeSurfer volume: `.mgh`, or compressed by gzip `.mgz` or `.mgh.gz`. */
export const isMghFile = (path: string): boolean => /\.(mgz|mgh|mgh\.gz)$/i.test(path);

/** Bytes per voxel of the types that the format has, by their codes. */
const types: ReadonlyMap<number, number> = new Map([
  [0, 1], // uint8
  [1, 4], // int32
  [3, 4], // float32
  [4, 2], // int16
]);

/** Byte at which voxels begin. */
const dataOffset = 284;

/**
 * Reads a FreeSurfer volume through ITK; its frames are channels.
 * @throws DataError for a missing, foreign or truncated file, or a header that cannot be right
 */
export async function readMgh(file: string, use?: ValueUse): Promise<Volume> {
  const header = await readMghHeader(file);
  await requireWhole(file, header);
  const { mghReadImageNode } = await import('@itk-wasm/image-io');
  const found = await quietly(() => mghReadImageNode(resolve(file))).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  if (!found.image?.data) throw unreadable(file, undefined);
  return volumeOfItk(found.image, file, use);
}

/** Reads and checks the header alone. Throws as `readMgh` does. */
export async function readMghHeader(file: string): Promise<MghHeader> {
  let start = Buffer.alloc(0);
  for await (const piece of contentOf(file, await isGzip(file))) {
    start = Buffer.concat([start, piece.subarray(0, dataOffset - start.length)]);
    if (start.length === dataOffset) break;
  }
  const numbers =
    start.length < dataOffset ? [] : Array.from({ length: 6 }, (_, i) => start.readInt32BE(4 * i));
  const [version, x = 0, y = 0, z = 0, frames = 0, type = -1] = numbers;
  const refuse = (what: string) => new DataError(`${file} ${what}; copy or download it again`, { file });
  if (version !== 1) throw refuse('is not a FreeSurfer volume (MGH): its header has not the version 1');
  const sizes = [x, y, z, frames] as const;
  const each = types.get(type);
  if (each === undefined || sizes.some((n) => n < 1) || x * y * z * frames > 2 ** 32) {
    throw refuse(
      `has a header that cannot be right: a size of ${sizes.join('x')} and the type ${type}; expected 1 or more ` +
        'on each axis and the type 0, 1, 3 or 4',
    );
  }
  if (start.readInt16BE(28) !== 1) {
    throw new DataError(
      `${file}: goodRASFlag is ${start.readInt16BE(28)}, so that the header does not say where the scan lies, and readers ` +
        'take it differently; expected 1, so write it anew with its place, such as with mri_convert',
      { file, field: 'goodRASFlag', found: start.readInt16BE(28), expected: 1 },
    );
  }
  return { bytes: x * y * z * frames * each };
}

async function requireWhole(file: string, { bytes }: MghHeader): Promise<void> {
  let found = 0;
  if (await isGzip(file)) for await (const piece of contentOf(file, true)) found += piece.length;
  else found = (await stat(file)).size;
  if (found - dataOffset >= bytes) return;
  throw new DataError(
    `${file} is truncated: its header promises ${bytes} bytes of voxels, ${Math.max(0, found - dataOffset)} are there; ` +
      'copy or download it again',
    { file, found: found - dataOffset, expected: bytes },
  );
}

async function isGzip(file: string): Promise<boolean> {
  for await (const piece of contentOf(file, false)) return itemAt(piece, 0) === 0x1f && piece[1] === 0x8b;
  return false;
}

const unreadable = (file: string, cause: unknown): DataError =>
  new DataError(
    `${file} is damaged or truncated: its voxels could not be read to their end; copy or download it again`,
    { file },
    { cause },
  );
