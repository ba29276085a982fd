import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { itemAt } from '../../at.js';
import { DataError, errorCode } from '../../errors.js';
import { jsonOrUndefined } from '../../json.js';
import { AXES, mapAxes, type Triple } from '../../volume/index.js';
import {
  arrayTypes,
  bytesOf,
  type ChunkedArray,
  type ChunkedHeader,
  chunkedHeader,
  codedMagic,
  copyRun,
  decodeRun,
  magic,
} from './chunked-format.js';

/** A prepared volume open for reading. `close` gives the file descriptor back. */
export interface ChunkedFile {
  readonly file: string;
  readonly header: ChunkedHeader;
  /**
   * The box of `size` voxels at `start` (may lie outside: 0 there), channel-planar [c][z][y][x].
   * Reads the chunks the box touches and nothing else, one read a row of chunks.
   * @param into what the box is put into, if it is of the volume's kind and of the box's length; else a new array
   */
  readBox(start: Triple, size: Triple, into?: ChunkedArray): ChunkedArray;
  /** The `rank`-th stored position of a class, as a voxel [x, y, z]. */
  readClassPosition(label: string, rank: number): Triple;
  close(): void;
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
    const codes = header.codes ?? 0;
    const BoxType = codes > 0 ? Float32Array : ArrayType;
    const grid = mapAxes(size, (n, axis) => Math.ceil(n / chunk[axis]));
    const chunkVoxels = chunk[0] * chunk[1] * chunk[2];
    const chunkBytes = chunkVoxels * channels * ArrayType.BYTES_PER_ELEMENT;
    const tailOffset = dataOffset + grid[0] * grid[1] * grid[2] * chunkBytes;
    const stored = Object.values(header.classPositions).reduce((sum, entry) => sum + entry.stored, 0);
    const valuesOffset = tailOffset + 4 * stored;
    const expectedBytes = valuesOffset + 4 * codes;
    const foundBytes = fstatSync(descriptor).size;
    if (foundBytes !== expectedBytes) {
      throw new DataError(
        `prepared file ${file} has ${foundBytes} bytes, but its header calls for ${expectedBytes}: ` +
          'delete it and run prepare again',
        { file, found: foundBytes, expected: expectedBytes },
      );
    }

    const values = new Float32Array(codes);
    if (codes > 0) readFully(file, descriptor, values, valuesOffset);

    const readBox = (start: Triple, boxSize: Triple, into?: ChunkedArray): ChunkedArray => {
      const [sx, sy, sz] = boxSize;
      const length = sx * sy * sz * channels;
      const given = into instanceof BoxType && into.length === length;
      const box = given ? into : new BoxType(length);
      const low = mapAxes(start, (s) => Math.max(0, s)); // the part of the box inside the volume: [low, high)
      const high = mapAxes(start, (s, axis) => Math.min(size[axis], s + boxSize[axis]));
      const reachesOut = AXES.some(
        (axis) => low[axis] > start[axis] || high[axis] < start[axis] + boxSize[axis],
      );
      if (given && reachesOut) box.fill(0);
      if (AXES.some((axis) => low[axis] >= high[axis])) return box;
      const [lowX, lowY, lowZ] = low;
      const [highX, highY, highZ] = high;
      const firstColumn = Math.floor(lowX / chunk[0]);
      const columns = Math.ceil(highX / chunk[0]) - firstColumn;
      const rowLength = columns * chunkVoxels * channels;
      const row = new ArrayType(rowOfChunks(rowLength * ArrayType.BYTES_PER_ELEMENT), 0, rowLength);
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
                  const from =
                    source + x0 - chunkX + chunk[0] * (y - cy * chunk[1] + chunk[1] * (z - cz * chunk[2]));
                  const to = x0 - start[0] + sx * (y - start[1] + sy * (z - start[2] + sz * c));
                  if (codes === 0) copyRun(row, from, box, to, x1 - x0);
                  else if (decodeRun(row, from, values, box, to, x1 - x0) < 0) throw noSuchCode(file);
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
        throw new DataError(
          `prepared file ${file} stores no position ${rank} of class ${label}: run prepare again`,
          {
            file,
          },
        );
      }
      const position = new Uint32Array(1);
      readFully(file, descriptor, position, tailOffset + 4 * (entry.offset + rank));
      const index = itemAt(position, 0);
      return [
        index % size[0],
        Math.floor(index / size[0]) % size[1],
        Math.floor(index / (size[0] * size[1])),
      ];
    };

    return { file, header, readBox, readClassPosition, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * Where the chunks of a row are read to before their voxels go to their places: one for all files of a thread,
 * since nothing waits between the two and fresh memory costs more than the reading.
 */
let rowBuffer = new ArrayBuffer(0);
function rowOfChunks(bytes: number): ArrayBuffer {
  if (rowBuffer.byteLength < bytes) rowBuffer = new ArrayBuffer(bytes);
  return rowBuffer;
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

function readHeader(file: string, descriptor: number): { header: ChunkedHeader; dataOffset: number } {
  const prefix = Buffer.alloc(12);
  const found = readSync(descriptor, prefix, 0, 12, 0);
  const length = found === 12 ? prefix.readUInt32LE(8) : 0;
  const begin = prefix.toString('ascii', 0, 8);
  if (found < 12 || (begin !== magic && begin !== codedMagic) || length > 2 ** 24) {
    throw new DataError(`${file} is no prepared volume of this version: run prepare again`, {
      file,
      expected: magic,
    });
  }
  const text = Buffer.alloc(length);
  readFully(file, descriptor, text, 12);
  const header = chunkedHeader.safeParse(jsonOrUndefined(text.toString('utf8')));
  if (!header.success) {
    throw new DataError(
      `${file} has a header of another version: run prepare again`,
      { file },
      { cause: header.error },
    );
  }
  const { dtype, codes } = header.data;
  if ((begin === codedMagic) !== (codes !== undefined) || (codes !== undefined && dtype !== 'uint16'))
    throw new DataError(`${file} has a header that contradicts itself: delete it and run prepare again`, {
      file,
    });
  return { header: header.data, dataOffset: 12 + length };
}

const noSuchCode = (file: string): DataError =>
  new DataError(
    `prepared file ${file} is damaged, as a voxel has a code without a value: delete it and run prepare again`,
    {
      file,
    },
  );

function openForReading(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    const problem = `cannot be opened (${errorCode(cause)})`;
    throw new DataError(`prepared file ${file} ${problem}: run prepare again`, { file }, { cause });
  }
}

/** Fills `into` from a byte of an open file on. Throws DataError when the file ends before. */
export function readFully(
  file: string,
  descriptor: number,
  into: NodeJS.ArrayBufferView,
  position: number,
): void {
  const bytes = bytesOf(into);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, position + done);
    if (count === 0)
      throw new DataError(`prepared file ${file} ends early: delete it and run prepare again`, { file });
    done += count;
  }
}
