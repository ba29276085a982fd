import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors.js';
import type { Triple } from '../volume/index.js';

/*
 * One volume on disk, so that a crop is read without the rest:
 *   8 bytes  magic "HYBMIMV1"
 *   4 bytes  length of the header, uint32
 *   header   JSON, padded with spaces so that the data begins at a multiple of 64
 *   chunks   in the order x fastest, then y, z; each [c][z][y][x] of the full chunk size, 0 beyond the volume's edge
 *   tail     one uint32 list a class: positions x + nx*(y + ny*z) of some of its voxels (labels only)
 * Numbers are little-endian.
 */
const magic = 'HYBMIMV1';
const chunkSide = 32;

const triple = z.tuple([z.number(), z.number(), z.number()]);
const chunkedHeader = z.object({
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
  /** For each class value: how many voxels it has, how many positions are stored, where the first stands in the tail (in positions). */
  classPositions: z.record(z.string(), z.object({ voxels: z.int(), stored: z.int(), offset: z.int() })),
});
export type ChunkedHeader = z.infer<typeof chunkedHeader>;

export type ChunkedArray = Float32Array | Uint8Array | Uint16Array;
const arrayTypes = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array } as const;

/** A prepared volume open for reading. `close` gives the file descriptor back. */
export interface ChunkedFile {
  readonly file: string;
  readonly header: ChunkedHeader;
  /**
   * The box of `size` voxels at `start` (may lie outside: 0 there), channel-planar [c][z][y][x].
   * Reads the chunks the box touches and nothing else, one read a row of chunks.
   */
  readBox(start: Triple, size: Triple): ChunkedArray;
  /** The `rank`-th stored position of a class, as a voxel [x, y, z]. */
  readClassPosition(label: string, rank: number): Triple;
  close(): void;
}

/**
 * Writes a volume in chunks, to a temporary file first, which is renamed when it is complete.
 * @param data [c][z][y][x], as long as size and channels say
 */
export function writeChunkedFile(
  file: string,
  content: Omit<ChunkedHeader, 'chunk' | 'classPositions'> & { readonly data: ChunkedArray },
  positions: Readonly<Record<string, { readonly voxels: number; readonly positions: Uint32Array }>> = {},
): void {
  const { data, ...described } = content;
  let offset = 0;
  const classPositions = Object.fromEntries(
    Object.entries(positions).map(([label, entry]) => {
      const listed = { voxels: entry.voxels, stored: entry.positions.length, offset };
      offset += entry.positions.length;
      return [label, listed];
    }),
  );
  const header: ChunkedHeader = { ...described, chunk: [chunkSide, chunkSide, chunkSide], classPositions };
  const partial = `${file}.${randomUUID()}.partial`;
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(partial, 'w');
  try {
    writeSync(descriptor, encodeHeader(header));
    for (const chunk of chunksOf(header, data)) writeSync(descriptor, bytesOf(chunk));
    for (const entry of Object.values(positions)) writeSync(descriptor, bytesOf(entry.positions));
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  renameSync(partial, file);
}

/**
 * Opens a prepared volume.
 * @throws DataError when the file is missing, of another form, or shorter than its header says
 */
export function openChunkedFile(file: string): ChunkedFile {
  const descriptor = openForReading(file);
  try {
    const { header, dataOffset } = readHeader(file, descriptor);
    const { size, chunk, channels } = header;
    const ArrayType = arrayTypes[header.dtype];
    const grid = size.map((n, axis) => Math.ceil(n / chunk[axis]!)) as [number, number, number];
    const chunkVoxels = chunk[0] * chunk[1] * chunk[2];
    const chunkBytes = chunkVoxels * channels * ArrayType.BYTES_PER_ELEMENT;
    const tailOffset = dataOffset + grid[0] * grid[1] * grid[2] * chunkBytes;
    const stored = Object.values(header.classPositions).reduce((sum, entry) => sum + entry.stored, 0);
    const expectedBytes = tailOffset + 4 * stored;
    const foundBytes = fstatSync(descriptor).size;
    if (foundBytes !== expectedBytes) {
      throw new DataError(
        `prepared file ${file} has ${foundBytes} bytes, but its header calls for ${expectedBytes}: delete it and run prepare again`,
        {
          file,
          found: foundBytes,
          expected: expectedBytes,
        },
      );
    }

    const readBox = (start: Triple, boxSize: Triple): ChunkedArray => {
      const [sx, sy, sz] = boxSize;
      const box = new ArrayType(sx * sy * sz * channels);
      const low = start.map((s) => Math.max(0, s)); // the part of the box inside the volume: [low, high)
      const high = start.map((s, axis) => Math.min(size[axis]!, s + boxSize[axis]!));
      if (low.some((l, axis) => l >= high[axis]!)) return box;
      const [lowX, lowY, lowZ] = low as [number, number, number];
      const [highX, highY, highZ] = high as [number, number, number];
      const firstColumn = Math.floor(lowX / chunk[0]);
      const columns = Math.ceil(highX / chunk[0]) - firstColumn;
      const row = new ArrayType(columns * chunkVoxels * channels);
      for (let cz = Math.floor(lowZ / chunk[2]); cz * chunk[2] < highZ; cz++) {
        for (let cy = Math.floor(lowY / chunk[1]); cy * chunk[1] < highY; cy++) {
          const place = firstColumn + grid[0] * (cy + grid[1] * cz);
          readFully(file, descriptor, row, dataOffset + place * chunkBytes);
          const z0 = Math.max(lowZ, cz * chunk[2]);
          const z1 = Math.min(highZ, (cz + 1) * chunk[2]);
          const y0 = Math.max(lowY, cy * chunk[1]);
          const y1 = Math.min(highY, (cy + 1) * chunk[1]);
          for (let column = 0; column < columns; column++) {
            const chunkX = (firstColumn + column) * chunk[0];
            const x0 = Math.max(lowX, chunkX);
            const x1 = Math.min(highX, chunkX + chunk[0]);
            for (let c = 0; c < channels; c++) {
              const source = (column * channels + c) * chunkVoxels;
              for (let z = z0; z < z1; z++) {
                for (let y = y0; y < y1; y++) {
                  const from = source + x0 - chunkX + chunk[0] * (y - cy * chunk[1] + chunk[1] * (z - cz * chunk[2]));
                  const to = x0 - start[0] + sx * (y - start[1] + sy * (z - start[2] + sz * c));
                  box.set(row.subarray(from, from + x1 - x0), to);
                }
              }
            }
          }
        }
      }
      return box;
    };

    const readClassPosition = (label: string, rank: number): Triple => {
      const entry = header.classPositions[label];
      if (entry === undefined || rank >= entry.stored) {
        throw new DataError(`prepared file ${file} stores no position ${rank} of class ${label}: run prepare again`, { file });
      }
      const position = new Uint32Array(1);
      readFully(file, descriptor, position, tailOffset + 4 * (entry.offset + rank));
      const index = position[0]!;
      return [index % size[0], Math.floor(index / size[0]) % size[1], Math.floor(index / (size[0] * size[1]))];
    };

    return { file, header, readBox, readClassPosition, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Opens, gives the file to `use`, and closes it whatever happens. */
export function withChunkedFile<T>(file: string, use: (open: ChunkedFile) => T): T {
  const open = openChunkedFile(file);
  try {
    return use(open);
  } finally {
    open.close();
  }
}

function encodeHeader(header: ChunkedHeader): Buffer {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const padded = Math.ceil((12 + text.length) / 64) * 64 - 12;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded);
  return Buffer.concat([Buffer.from(magic, 'ascii'), length, text, Buffer.alloc(padded - text.length, ' ')]);
}

function readHeader(file: string, descriptor: number): { header: ChunkedHeader; dataOffset: number } {
  const prefix = Buffer.alloc(12);
  const found = readSync(descriptor, prefix, 0, 12, 0);
  const length = found === 12 ? prefix.readUInt32LE(8) : 0;
  if (found < 12 || prefix.toString('ascii', 0, 8) !== magic || length > 2 ** 24) {
    throw new DataError(`${file} is no prepared volume of this version: run prepare again`, { file, expected: magic });
  }
  const text = Buffer.alloc(length);
  readFully(file, descriptor, text, 12);
  const header = chunkedHeader.safeParse(JSON.parse(text.toString('utf8')));
  if (!header.success) {
    throw new DataError(`${file} has a header of another version: run prepare again`, { file }, { cause: header.error });
  }
  return { header: header.data, dataOffset: 12 + length };
}

function* chunksOf({ size, chunk, channels, dtype }: ChunkedHeader, data: ChunkedArray): Generator<ChunkedArray> {
  const [nx, ny, nz] = size;
  const [kx, ky, kz] = chunk;
  for (let cz = 0; cz < nz; cz += kz) {
    for (let cy = 0; cy < ny; cy += ky) {
      for (let cx = 0; cx < nx; cx += kx) {
        const values = new arrayTypes[dtype](kx * ky * kz * channels);
        const width = Math.min(kx, nx - cx);
        for (let c = 0; c < channels; c++) {
          for (let z = cz; z < Math.min(nz, cz + kz); z++) {
            for (let y = cy; y < Math.min(ny, cy + ky); y++) {
              const from = cx + nx * (y + ny * (z + nz * c));
              values.set(data.subarray(from, from + width), kx * (y - cy + ky * (z - cz + kz * c)));
            }
          }
        }
        yield values;
      }
    }
  }
}

function openForReading(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new DataError(`prepared file ${file} cannot be opened (${(cause as NodeJS.ErrnoException).code}): run prepare again`, { file }, { cause });
  }
}

function readFully(file: string, descriptor: number, into: NodeJS.ArrayBufferView, position: number): void {
  const bytes = bytesOf(into);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, position + done);
    if (count === 0) throw new DataError(`prepared file ${file} ends early: delete it and run prepare again`, { file });
    done += count;
  }
}

function bytesOf(view: NodeJS.ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
