import { z } from 'zod';
import { type Triple, tripleOf } from '../../volume/index.js';
import { mostCodes } from './value-codes.js';

/*
 * One volume on disk, so that a crop is read without the rest:
 *   8 bytes  magic "HYBMIMV1", or "HYBMIMV2" where voxels are codes
 *   4 bytes  length of the header, uint32
 *   header   JSON, padded with spaces so that the data begins at a multiple of 64
 *   chunks   in the order x fastest, then y, z; each [c][z][y][x] of the full chunk size,
 *            0 beyond the volume's edge
 *   tail     one uint32 list a class: positions x + nx*(y + ny*z) of some of its voxels (labels only);
 *            where voxels are codes, the float32 value of each code
 * Numbers are little-endian.
 */
export const magic = 'HYBMIMV1';
/** Programs that do not know codes refuse it, in place of taking them for values. */
export const codedMagic = 'HYBMIMV2';
/** Voxels [x, y, z] of the chunks that are written; a file says what its own are. */
export const chunkShape: Triple = [32, 16, 16];
/** Planes that a volume is written in at a time: whole layers of chunks. */
export const slabPlanes = 32;

const triple = tripleOf(z.number());
/** What stands in front of the chunks. */
export const chunkedHeader = z.object({
  dtype: z.enum(['float32', 'uint8', 'uint16']),
  size: triple,
  spacing: triple,
  affine: z.object({ rows: z.array(z.number()) }),
  channels: z.int().positive(),
  chunk: triple,
  /** What was done to the source, in order, for people to read. */
  steps: z.array(z.string()),
  /** SHA-256 of each source file. */
  sources: z.array(z.string()),
  /**
   * For each class value: how many voxels it has, how many positions
   * are stored, where the first stands in the tail (in positions).
   */
  classPositions: z.record(z.string(), z.object({ voxels: z.int(), stored: z.int(), offset: z.int() })),
  /** How many values there are, of which the voxels are the codes; absent: voxels are values. */
  codes: z.int().min(1).max(mostCodes).optional(),
});
export type ChunkedHeader = z.infer<typeof chunkedHeader>;

/** The voxels of a prepared volume. */
export type ChunkedArray = Float32Array | Uint8Array | Uint16Array;
/** The array of each kind of voxel. */
export const arrayTypes = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array } as const;

/** The bytes before the first chunk. */
export function encodeHeader(header: ChunkedHeader): Buffer {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const padded = Math.ceil((12 + text.length) / 64) * 64 - 12;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded);
  const begin = header.codes === undefined ? magic : codedMagic;
  return Buffer.concat([Buffer.from(begin, 'ascii'), length, text, Buffer.alloc(padded - text.length, ' ')]);
}

/** The same memory as bytes. */
export function bytesOf(view: NodeJS.ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Puts the values of a short run of codes into `target`, and returns a
 * number below 0 where one of them stands for no value.
 */
export function decodeRun(
  codes: ChunkedArray,
  from: number,
  values: Float32Array,
  target: ChunkedArray,
  to: number,
  count: number,
): number {
  let worst = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[from + i]!;
    worst |= values.length - 1 - code;
    target[to + i] = values[code]!;
  }
  return worst;
}

/** Copies a short run of values. A loop, since a view of a row of a chunk costs more than the row. */
export function copyRun(
  source: ChunkedArray,
  from: number,
  target: ChunkedArray,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) target[to + i] = source[from + i]!;
}
