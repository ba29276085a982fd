import { createReadStream } from 'node:fs';
import { DataError } from '../errors.js';
import { decompressed } from './decompressed.js';

/** Where bytes of voxels stand. */
export interface VoxelBytes {
  readonly file: string;
  /** Byte at which what may be compressed begins. */
  readonly start: number;
  /** By gzip or zlib. */
  readonly compressed: boolean;
  /** Bytes before the voxels, when it is uncompressed. */
  readonly skip: number;
  /** Of all voxels. */
  readonly bytes: number;
}

/** Of what is read at a time. */
const pieceBytes = 1 << 20;

/**
 * The content of a file from a byte on, uncompressed, in pieces of about 1 MiB. Throws DataError where it is
 * damaged.
 * @param wanted bytes that are wanted of it: no more memory is asked for to read what is not compressed
 */
export async function* contentOf(
  file: string,
  compressed: boolean,
  start = 0,
  wanted = pieceBytes,
): AsyncGenerator<Uint8Array, void> {
  const highWaterMark = Math.max(1, Math.min(wanted, pieceBytes));
  const source = compressed ? undefined : createReadStream(file, { start, highWaterMark });
  const pieces: AsyncIterator<Uint8Array> =
    source?.[Symbol.asyncIterator]() ?? decompressed(file, start)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const piece = await pieces.next().catch((cause: Error) => {
        const what = compressed ? 'decompressed' : 'read';
        throw new DataError(
          `${file} is damaged or truncated: it could not be ${what} to its end (${cause.message}); ` +
            'copy or download it again',
          { file },
          { cause },
        );
      });
      if (piece.done) return;
      yield piece.value;
    }
  } finally {
    await pieces.return?.();
    source?.destroy();
  }
}

/**
 * Bytes that compressed content may have beyond the voxels that its header promises, as readers pass over some.
 * More of them is a header that belongs to another scan, or a small file made to fill memory and time.
 */
const mostBeyond = 1 << 20;

/**
 * All bytes of the voxels as they are in the file, in pieces of about 1 MiB. What is compressed is read on to
 * its end, where its checksum stands. Throws DataError where the file is damaged or ends early.
 */
export async function* voxelPieces({
  file,
  start,
  compressed,
  skip,
  bytes,
}: VoxelBytes): AsyncGenerator<Uint8Array, void> {
  const end = skip + bytes;
  let position = 0; // in the uncompressed content
  for await (const chunk of contentOf(file, compressed, start, end)) {
    const from = Math.max(0, skip - position);
    const to = Math.min(chunk.length, end - position);
    if (to > from) yield chunk.subarray(from, to);
    position += chunk.length;
    if (!compressed && position >= end) return;
    if (position > end + mostBeyond) {
      throw new DataError(
        `${file} goes on for more than ${mostBeyond} bytes after the ${bytes} bytes of voxels that its header ` +
          'promises: header and voxels do not belong together; copy or download it again',
        { file, expected: bytes },
      );
    }
  }
  if (position >= end) return;
  const found = Math.max(0, position - skip);
  throw new DataError(
    `${file} is truncated: its header promises ${bytes} bytes of voxels, ${found} are there; copy or download it again`,
    {
      file,
      found,
      expected: bytes,
    },
  );
}

/** Reads the voxels to their end without keeping them, for who reads them by other means. Throws DataError. */
export async function requireWholeVoxels(voxels: VoxelBytes): Promise<void> {
  const pieces = voxelPieces(voxels);
  while (!(await pieces.next()).done);
}

/**
 * The bytes of the voxels in pieces of `length` bytes, one after another in one array: use a piece before you
 * ask for the next. Throws DataError where the file is damaged or ends early.
 */
export async function* voxelPiecesOf(length: number, voxels: VoxelBytes): AsyncGenerator<Uint8Array, void> {
  const whole = new Uint8Array(length);
  let filled = 0;
  for await (const piece of voxelPieces(voxels)) {
    for (let done = 0; done < piece.length; ) {
      const part = piece.subarray(done, done + length - filled);
      whole.set(part, filled);
      filled += part.length;
      done += part.length;
      if (filled < length) break;
      yield whole;
      filled = 0;
    }
  }
}
